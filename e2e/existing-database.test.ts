import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv, promisify } from 'node:util'
import { SignJWT } from 'jose'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { embeddedBinaries } from '../cli/postgres/postgres-binaries.ts'
import type { PostgresServer } from '../cli/postgres/postgres-server.ts'
import { launchChromium, type TestBrowser } from '../testing/browser/launch-chromium.ts'
import { servePage } from '../testing/browser/serve-page.ts'
import { type BackgroundCommand, startCommand } from '../testing/cli/background-command.ts'
import { readGuide } from '../testing/cli/read-guide.ts'
import { freePort } from '../testing/postgres/free-port.ts'
import { FAST_SETTINGS, SYSTEM_BINARIES } from '../testing/postgres/global-setup.ts'
import { startTestServer } from '../testing/postgres/start-test-server.ts'
import { until } from '../testing/system/until.ts'

/** Follows the guide over one database of an app that knows nothing of replicas; each test goes on from the last. */
const [read = [], mark = [], force = [], lock = [], serve = [], look = []] = readGuide('existing-database.md')
  .filter((block) => block.language === 'sh')
  .map((block) => block.text.trim().split('\n'))

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DESK = readFileSync(new URL('../testing/existing/page/desk.tsx', import.meta.url), 'utf8')
const SCHEMA = readFileSync(new URL('../testing/existing/schema.sql', import.meta.url), 'utf8')
mkdirSync(join(ROOT, '.tidemark'), { recursive: true })
// Inside the package, so that the app finds what that depends on without an installation.
const folder = mkdtempSync(join(ROOT, '.tidemark', 'moved-'))
let app = folder
let postgres: PostgresServer
let dev: BackgroundCommand | null = null
let url: string
let port: number

beforeAll(async () => {
  postgres = await startTestServer({
    binDirectory: embeddedBinaries(),
    dataDirectory: join(folder, 'postgres'),
    port: await freePort(),
    password: 'theirs',
    settings: FAST_SETTINGS,
  })
  url = postgres.url('postgres')
  await theirs(SCHEMA)
  await theirs('ANALYZE')
})
afterAll(async () => {
  await dev?.stop()
  await postgres?.stop()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

const run = promisify(execFile)
const environment = () => ({ ...process.env, DATABASE_URL: url })

/** Writes as the existing app does, which has a connection of its own and knows of nothing else. */
async function theirs(sql: string): Promise<string> {
  const { stdout } = await run(join(SYSTEM_BINARIES, 'psql'), [url, '-v', 'ON_ERROR_STOP=1', '-Atq', '-c', sql])
  return stdout
}

const MAIN = join(ROOT, 'dist', 'cli', 'main.js')

/** Runs one command line of the guide to its end, and answers what it printed. */
async function follow(line: string): Promise<string> {
  const [variables, words] = partsOf(line)
  const [command = '', ...args] = words
  const env = { ...environment(), ...variables }
  if (command === 'cd') {
    app = join(app, args[0] ?? '')
    return ''
  }
  if (line === 'npm install') {
    mkdirSync(join(app, 'node_modules'))
    symlinkSync(ROOT, join(app, 'node_modules', 'tidemark'))
    return ''
  }
  const { scripts } = line.includes('npm run') ? JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')) : {}
  const [file, list] =
    command === 'npx'
      ? [process.execPath, [MAIN, ...args.slice(1)]]
      : command === 'npm'
        ? [
            process.execPath,
            String(scripts[args[1] ?? ''])
              .split(' ')
              .slice(1),
          ]
        : [join(SYSTEM_BINARIES, command), args]
  const { stdout } = await run(file, list, { cwd: app, env })
  return stdout
}

function partsOf(line: string): readonly [Record<string, string>, string[]] {
  const words = line.split(' ').map((word) => word.replace('"$DATABASE_URL"', url))
  const variables = words.filter((word) => /^[A-Z]+=/.test(word)).map((word) => word.split(/=(.*)/s).slice(0, 2))
  return [Object.fromEntries(variables), words.filter((word) => !/^[A-Z]+=/.test(word))]
}

test('CLI-R33 what the guide says to read it, reads it', async () => {
  const said = await follow(read[0] ?? '')
  expect(said).toContain('Read 20 tables; nothing was changed there.')
  for (const line of read.slice(1)) await follow(line)
})

test('CLI-R34 the migrations that made it are marked, as the database has what they make', async () => {
  writeFileSync(join(app, 'migrations', '0001_shop.sql'), SCHEMA)
  const said: string[] = []
  for (const line of mark) said.push(await follow(line))
  expect(said[0]).toMatch(/Would mark 0001_shop\.sql as run before\.\nThe database has what they make: \d+ tables/)
  expect(said[1]).toContain('Marked 0001_shop.sql as run before: nothing of it was run.')
})

test('CLI-R33 CLI-R35 CLI-R36 it is put in force while the app goes on writing, and doctor finds nothing that fails', async () => {
  // The catalogue of the shop is for everyone, and lines, loans and what hangs on tickets go with what they belong to.
  const sync = join(app, 'sync.ts')
  const joins = 'artist|album|film|invoiceLine|loan|message|attachment|step|watcher'
  const decided = readFileSync(sync, 'utf8')
    .replaceAll(new RegExp(`// ((?:${joins}): table\\()`, 'g'), '$1')
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code, which is written into the app.
    .replace(/^( *ticket: .*) \}\),$/m, "$1, when: sql`${db.ticket.deletedAt} IS NULL`, write: 'all' }),")
    .replace(/^( *message: .*) \}\),$/m, "$1, write: 'all' }),")
    .replace(/^( *agent: .*) \}\),$/m, "$1, hidden: ['deleted_at'] }),")
  expect(decided.match(/write: 'all'|hidden: /g)).toHaveLength(3)
  writeFileSync(sync, `import { sql } from 'drizzle-orm'\n${decided}`)
  const writing = { goesOn: true }
  const writer = (async () => {
    while (writing.goesOn) await theirs(`UPDATE invoice SET net = net + 1 WHERE invoice_id = 3`)
  })()
  const [migrate = '', doctor = ''] = force
  const said = await follow(migrate)
  // What replicas write is to have policies first, which doctor insists on.
  const open = await follow(doctor).catch(({ stdout }) => String(stdout))
  expect([...open.matchAll(/FAIL +(.*)/g)].map(([, what]) => what)).toEqual([
    'row-security desk.message',
    'row-security desk.ticket',
  ])
  writing.goesOn = false
  await writer
  expect(said).toMatch(/public\.invoice joins \(about 3 rows, .*REPLICA IDENTITY FULL/)
  expect(said).toContain('Sync definition: version 1')
  for (const line of lock) await follow(line)
  expect(await follow(doctor)).not.toContain('FAIL')
})

test('CLI-R33 a replica in Node reads the rows of its audiences, of every kind of table, and no others', async () => {
  const [, words] = partsOf(serve[0] ?? '')
  port = await freePort()
  dev = startCommand(process.execPath, [MAIN, ...words.slice(2), '--port', String(port)], {
    cwd: app,
    env: environment(),
  })
  await dev.until(/Tidemark is ready\.[\s\S]*Stop /)
  const said = await follow(look[0] ?? '')
  const counts = Object.fromEntries(
    [...said.matchAll(/^(\w+): (\d+) rows$/gm)].map(([, name, count]) => [name, Number(count)]),
  )
  expect(counts).toEqual({
    album: 2,
    artist: 2,
    customer: 1,
    invoice: 2,
    invoiceLine: 1,
    copy: 2,
    film: 2,
    loan: 2,
    payment: 2,
    staff: 2,
    store: 1,
    ...Object.fromEntries(
      ['agent', 'attachment', 'cannedReply', 'message', 'step', 'team', 'ticket', 'watcher'].map((name) => [name, 0]),
    ),
  })
  expect(said).toContain("it's void")
  expect(said).toContain('Spring tide')
  expect(said).not.toContain('ben@example.com')
  expect(said).not.toContain('password')
})

test('CLI-R33 the app goes on, and a replica sees what it wrote since', async () => {
  await theirs(`
    INSERT INTO invoice (customer_id, state, placed_at, net) VALUES (1, 'open', '2026-05-01', 100);
    UPDATE invoice SET customer_id = 1 WHERE invoice_id = 3; DELETE FROM invoice WHERE invoice_id = 2;
    UPDATE rental.film SET title = 'King tide', specials = '{R}' WHERE film_id = 2;
    CREATE TABLE rental.payment_2026_03 PARTITION OF rental.payment FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
    INSERT INTO rental.payment (store_id, paid_on, amount) VALUES (1, '2026-03-09', 9);`)
  const said = await follow(look[0] ?? '')
  expect(said).toContain('invoice: 3 rows')
  expect(said).toContain('payment: 3 rows')
  expect(said).toContain('King tide')
})

test('FLD-207 FLD-254 FLD-255 LSE-R5 CLI-R33 CLI-R50 a page that is there reads and writes them, offline too, with at most forty lines more', async () => {
  const guide = readGuide('existing-database.md')
  const added = guide.filter(({ title }) => title !== null)
  const settings = guide.find(({ text }) => text.startsWith('defineConfig('))?.text ?? ''
  const inSync = [
    "import { actions } from './actions.ts'",
    '  actions,',
    ", write: 'actions'",
    ...settings.split('\n').filter((line) => line.startsWith('  ')),
  ]
  const lines = added.flatMap(({ text }) => text.split('\n')).filter((line) => line.trim() !== '')
  expect(lines.length + inSync.length).toBeLessThanOrEqual(40)

  for (const { title, text } of added) {
    mkdirSync(dirname(join(app, title ?? '')), { recursive: true })
    writeFileSync(join(app, title ?? ''), text)
  }
  const definition = readFileSync(join(app, 'sync.ts'), 'utf8')
  const changed = definition
    .replace(/^import /m, "import { actions } from './actions.ts'\nimport ")
    .replace(/^( *)tables: \{/m, '$1actions,\n$1tables: {')
    .replace(/(invoice: table\(db\.invoice, \{)/, "$1 write: 'actions',")
  expect(changed.match(/actions/g)?.length).toBeGreaterThan(3)
  writeFileSync(join(app, 'sync.ts'), changed)
  await follow('npx tidemark migrate')
  await theirs(guide.find(({ language }) => language === 'sql')?.text ?? '')
  // Besides, a part of it writes tables that a sequence numbers, by typed queries.
  await theirs(`
    CREATE POLICY written ON desk.ticket TO tidemark_client USING (team_id = ANY ((SELECT tidemark.audience_values('team'))::integer[]));
    CREATE POLICY written ON desk.message TO tidemark_client USING (EXISTS (SELECT FROM desk.ticket t WHERE t.ticket_id = message.ticket_id))`)
  writeFileSync(join(app, 'src', 'desk.tsx'), DESK)
  // The page as it was before: a root, and something of its own around what is added.
  writeFileSync(join(app, 'index.html'), '<div id="root"></div><script type="module" src="/src/main.tsx"></script>')
  writeFileSync(
    join(app, 'src', 'main.tsx'),
    `import { createRoot } from 'react-dom/client'
     import { Desk } from './desk.tsx'
     import { Invoices } from './invoices.tsx'
     import { WithReplica } from './with-replica.tsx'
     createRoot(document.getElementById('root')!).render(<WithReplica><h1>Shop</h1><Invoices /><Desk /></WithReplica>)`,
  )
  const { JWT_SECRET: secret } = parseEnv(readFileSync(join(app, '.tidemark', 'worker.env'), 'utf8'))
  const token = await new SignJWT({ audiences: ['customer:1', 'team:1'] })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('mia')
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret))
  const served = await servePage(app, `http://localhost:${port}`, { '/api/token': token })
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    page.setDefaultTimeout(120_000)
    await page.goto(served.url)
    const row = page.locator('p', { hasText: '3: ' })
    await row.waitFor()
    expect(await page.locator('p').count()).toBe(3)
    await browser.context.setOffline(true)
    await row.getByRole('button').click()
    await page.locator('p', { hasText: '3: paid' }).waitFor()
    expect(await theirs('SELECT state FROM invoice WHERE invoice_id = 3')).toContain('open')
    await browser.context.setOffline(false)
    await until(async () => (await theirs('SELECT state FROM invoice WHERE invoice_id = 3')).includes('paid'))
    await theirs(`UPDATE invoice SET state = 'it''s void' WHERE invoice_id = 3`)
    await page.locator('p', { hasText: "3: it's void" }).waitFor()
    await writeNumbered(page, await browser.newPage(), served.url, browser)
  } finally {
    await browser.close()
    await served.close()
  }
})

/** Two tabs of one replica write offline what a sequence numbers; then the app itself does. */
async function writeNumbered(first: Page, second: Page, address: string, browser: TestBrowser): Promise<void> {
  second.setDefaultTimeout(120_000)
  await second.goto(address)
  const rope = (page: Page) => page.locator('li', { hasText: 'Rope frayed' })
  for (const page of [first, second]) {
    await rope(page).waitFor()
    // Neither the deleted ticket nor those of others, and no hidden column.
    expect(await page.locator('li').allTextContents()).toEqual([
      JSON.stringify([1, 'Rope frayed', '1.50', ['rope', 'north quay'], { by: ['Ada'] }, 'new', 1]),
    ])
    expect(await page.locator('em').textContent()).toBe('agentId,teamId,name')
  }
  await browser.context.setOffline(true)
  for (const page of [first, second, first]) {
    const before = await page.locator('li').count()
    await page.getByRole('button', { name: 'Add' }).click()
    await page.locator('li').nth(before).waitFor()
  }
  const here = `SELECT ticket_id, hours, labels, facts, (SELECT count(*) FROM desk.message m WHERE m.ticket_id = t.ticket_id)
    FROM desk.ticket t WHERE title = 'Made offline' ORDER BY 1`
  const made = second.locator('li', { hasText: 'Made offline' })
  await until(async () => (await made.count()) === 3)
  const shown = (await made.allTextContents()).map((text) => JSON.parse(text) as unknown[])
  expect(await theirs(here)).toBe('')
  await browser.context.setOffline(false)
  const expected = shown.map(([id]) => `${id}|0.50|{a,"b c"}|{"n": 1}|1\n`).join('')
  await until(async () => (await theirs(here)) === expected)
  await theirs(
    `INSERT INTO desk.ticket (team_id, title) VALUES (1, 'By the app'); UPDATE desk.ticket SET deleted_at = now() WHERE ticket_id = 1`,
  )
  await second.locator('li', { hasText: 'By the app' }).waitFor()
  await rope(second).waitFor({ state: 'detached' })
}
