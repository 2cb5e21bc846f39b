import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../protocol/index.ts'
import { launchChromium, type TestBrowser } from '../testing/browser/launch-chromium.ts'
import { readPage } from '../testing/cli/read-guide.ts'
import { AUDIENCE, checksOf, FAULTS, type FaultRig, openSpeaker } from '../testing/operations/inject-faults.ts'
import { sync } from '../testing/oracle/app/sync.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'
import { withDatabase } from '../workers/database/index.ts'
import type { ReplicationOperations } from '../workers/operations-contract.ts'

const run = promisify(execFile)

/** One system for the page and for the faults that are found on it. */
let system: System
let browser: TestBrowser

beforeAll(async () => {
  system = await startSystem({
    app: {
      sync,
      syncModule: new URL('../testing/oracle/app/sync.ts', import.meta.url),
      migrations: new URL('../testing/oracle/app/migrations/', import.meta.url),
    },
    workerOptions: { intervals: { activeMs: 200, idleMs: 1_000 } },
  })
  browser = await launchChromium()
})
afterAll(async () => {
  await browser?.close()
  await system?.dispose()
})

const admin = () => ({ authorization: `Bearer ${system.adminToken}` })
const state = async () =>
  (await fetch(`${system.url}/ops/state`, { headers: admin() })).json() as Promise<ReplicationOperations>
const query = (text: string) =>
  withDatabase(system.env, (database) => database.query(text), { applicationName: 'test' })
const capture = async () => {
  const token = await system.token({ userId: 'ann', audiences: [AUDIENCE] })
  return (await fetch(`${system.url}/sync/head`, { headers: { authorization: `Bearer ${token}` } })).status
}
const hello = {
  type: 'hello',
  protocol: LIMITS.protocolVersion,
  client: 'client-of-operators-test',
  unsettled: false,
  epoch: null,
  cursor: null,
  definitionVersion: null,
  definitionHash: null,
  audiences: [],
}

describe('the page', () => {
  let page: Page
  const said: string[] = []

  test('OPS-R12 OPS-R8 opens after a login, shows capture live, and acts only once it was confirmed', async () => {
    await until(async () => (await capture()) === 200)
    await openSpeaker(system, hello)
    page = await browser.newPage()
    page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`))
    page.on('pageerror', (error) => said.push(String(error)))
    await page.goto(`${system.url}/ops`)
    await page.getByLabel('Admin token').fill('not it')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByText('This needs the admin token').waitFor()
    await page.getByLabel('Admin token').fill(system.adminToken)
    await page.getByLabel('Your name').fill('Ada')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('heading', { name: 'Over time' }).waitFor()
    expect(await page.evaluate(() => document.cookie)).toBe('')

    await query(
      `INSERT INTO public.org (id, name) VALUES ('00000000-0000-4000-8000-0000000000aa', 'a value that is nobody’s')`,
    )
    await capture()
    await page.locator('.tile', { hasText: 'Last minute with changes' }).getByText('rows in').waitFor()
    await page.locator('.u-over').nth(2).waitFor()
    await page.getByRole('button', { name: AUDIENCE }).waitFor()
    await page.locator('td code[title="client-of-operators-test"]').waitFor()
    expect(await page.content()).not.toContain('nobody’s')

    await page.getByRole('button', { name: 'Pause capture' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    expect((await state()).pause).toBeNull()
    await page.getByRole('button', { name: 'Pause capture' }).click()
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.getByText('done: Capture stands still').waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
    await page.locator('.findings').getByText('paused by Ada').waitFor()
    expect((await state()).pause?.by).toBe('Ada')
    await page.getByRole('button', { name: 'Resume capture' }).click()
    await page.getByRole('button', { name: 'Resume', exact: true }).click()
    await page.getByText('done: Capture goes on').waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('button', { name: 'Pause capture' }).waitFor()
    expect((await state()).actions.map(({ by, action }) => [by, action.kind])).toEqual([
      ['Ada', 'resume-capture'],
      ['Ada', 'pause-capture'],
    ])
  })

  test('OPS-R12 fits a phone and a desk, in light and in dark, without anything that its policy forbids', async () => {
    for (const [width, height] of [
      [360, 740],
      [1_280, 900],
    ] as const) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height })
        await page.emulateMedia({ colorScheme })
        const wide = () =>
          page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        await until(async () => (await wide()) === 0)
        const plot = await page.locator('.u-over').first().boundingBox()
        expect((plot?.x ?? 0) + (plot?.width ?? width)).toBeLessThanOrEqual(width)
        const folder = process.env.OPS_PICTURES
        if (folder) await page.screenshot({ path: `${folder}/${width}-${colorScheme}.png`, fullPage: true })
      }
    }
    // Answers that are none are told by the browser itself.
    expect(said.filter((line) => !/^(error: Failed to load resource|verbose:)/.test(line))).toEqual([])
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('Admin token').waitFor()
    await page.reload()
    await page.getByLabel('Admin token').waitFor()
    await page.close()
  })
})

describe('the run book', () => {
  const commands = readPage('docs/operate.md')
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.match(/^curl .*$/gm) ?? [])

  test.each(commands)('OPS-R14 CLI-R38 %s', async (command) => {
    const env = { ...process.env, ADMIN_TOKEN: system.adminToken }
    const { stdout } = await run('sh', ['-c', command.replace('https://…', system.url)], { env })
    const answer = JSON.parse(stdout)
    expect(answer.kind).toBeUndefined()
    if (command.includes('/ops/actions')) expect(answer).toMatchObject({ said: expect.stringMatching(/./) })
  })

  test('OPS-R14 has a command for each action', () => {
    const kinds = commands.flatMap((command) => /"kind":"([\w-]+)"/.exec(command)?.[1] ?? [])
    expect(kinds.sort()).toEqual([
      'disconnect-client',
      'drop-snapshot',
      'pause-capture',
      'rebuild-slot',
      'rehydrate-client',
      'resume-capture',
    ])
  })
})

describe('faults', () => {
  const plain: Pick<FaultRig, 'query' | 'capture' | 'operate' | 'redeploy'> = {
    query,
    capture,
    operate: (action) =>
      fetch(`${system.url}/ops/actions`, { method: 'POST', headers: admin(), body: JSON.stringify(action) }),
    redeploy: (vars) => {
      const own = { DATABASE_URL: system.databaseUrl, DATABASE_PROXY: system.env.DATABASE_PROXY ?? '' }
      return system.worker.deploy({ vars: { ...own, ADMIN_TOKEN: system.adminToken, ...vars } })
    },
  }
  const say = async (frame: object) => (await openSpeaker(system, hello))(frame)
  const isFound = async ({ check, says }: (typeof FAULTS)[number]) => {
    await plain.capture().catch(() => {})
    const checks = await checksOf(system, AUDIENCE).catch(() => [])
    return checks.some(
      ({ name, status, value, message }) =>
        name === check && status !== 'ok' && message !== '' && says.test(`${value} ${message}`),
    )
  }

  test.each(FAULTS.map((fault) => [fault.fault, fault.check, fault] as const))(
    'OPS-R14 OPS-01 that %s is found by the check %s, with its remedy',
    async (_fault, _check, fault) => {
      const rig = { system, ...plain, say }
      await fault.inject(rig)
      await until(() => isFound(fault))
      await fault.mend?.(rig)
      await until(async () => (await plain.capture().catch(() => 0)) === 200)
    },
  )

  test('OPS-R14 the run book names each of them, with its check', () => {
    const page = readFileSync('docs/operate.md', 'utf8')
    for (const { fault, check } of FAULTS) expect(page).toContain(`| ${fault} | \`${check}\` |`)
    expect(FAULTS.length).toBeGreaterThanOrEqual(20)
  })
})
