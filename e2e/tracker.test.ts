import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Lsn, parsePgLsn } from '../protocol/index.ts'
import { copyTracker } from '../testing/browser/copy-tracker.ts'
import { launchChromium, type TestBrowser } from '../testing/browser/launch-chromium.ts'
import { type DevServer, startDev } from '../testing/browser/start-dev.ts'
import { digestAudiences, type TableDigest } from '../testing/browser/tracker-digest.ts'
import { live, queryReplica, settledDigest, withoutServiceWorker, workspace } from '../testing/browser/tracker-page.ts'
import { withDatabase } from '../workers/database/index.ts'

/** One server and one browser serve all of these tests, which is why they are one file. */
const HARBOUR = '1f0c6a52-0a3e-4b57-9d64-3a7d5e8c0001'
const LUMEN = '1f0c6a52-0a3e-4b57-9d64-3a7d5e8c0002'
const FIELDNOTE = '1f0c6a52-0a3e-4b57-9d64-3a7d5e8c0003'
const ADA = '7b1d90e4-52c8-4f1a-8e0b-6c2f4a9d0001'
const DANA = '7b1d90e4-52c8-4f1a-8e0b-6c2f4a9d0004'
const FARID = '7b1d90e4-52c8-4f1a-8e0b-6c2f4a9d0006'
/** The time that a condition may take on a busy machine; nothing is measured against it. */
const PATIENCE_MS = 120_000

const dataDir = mkdtempSync(join(tmpdir(), 'tidemark-e2e-'))
const tracker = copyTracker()
let server: DevServer
let browser: TestBrowser

beforeAll(async () => {
  server = await startDev({ app: tracker.app, dataDir, port: 0 })
})

afterAll(async () => {
  await server?.stop()
  tracker.remove()
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })
})

beforeEach(async () => {
  browser = await launchChromium()
})

afterEach(async () => {
  await browser.close()
})

const query = (text: string, params: string[] = []) =>
  withDatabase(server.env, (database) => database.query(text, params), { applicationName: 'test' })

const expected = (organizations: readonly string[], user = ADA): Promise<TableDigest[]> =>
  withDatabase(server.env, (database) => digestAudiences(database.query, organizations, user))

async function openPage({ isKept = false } = {}): Promise<Page> {
  const page = await browser.newPage()
  if (!isKept) await withoutServiceWorker(page)
  page.setDefaultTimeout(PATIENCE_MS)
  return page
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.goto(server.url)
  await page.getByRole('button', { name }).click()
}

/** Comes back as a user; a browser killed outright may have forgotten who that was, though not their replica. */
async function comeBack(page: Page, name: string): Promise<void> {
  await page.goto(server.url)
  const login = page.getByRole('button', { name })
  await login.or(page.locator('.hydration, .workspace')).first().waitFor()
  if (await login.isVisible()) await login.click()
}

async function hydrate(page: Page, name: string): Promise<void> {
  await signIn(page, name)
  await live(page).waitFor()
  await page.locator('.issue-row').first().waitFor()
}

const newestIssue = async (organization: string): Promise<string> => {
  const [row] = await query(
    'SELECT id FROM public.issue WHERE org_id = $1 AND parent_id IS NULL ORDER BY updated_at DESC, id LIMIT 1',
    [organization],
  )
  return row?.id ?? ''
}

const retitle = (issue: string, title: string) =>
  query(`UPDATE public.issue SET title = $2, state = 'todo', closed_at = NULL, updated_at = now() WHERE id = $1`, [
    issue,
    title,
  ])

/** Lets the first `passing` requests for snapshots through and holds the rest; resolves when one is held. */
async function holdSnapshot(page: Page, passing: number): Promise<void> {
  let seen = 0
  await new Promise<void>((resolve, reject) => {
    page
      .route('**/sync/snapshot/**', async (route) => {
        seen += 1
        if (seen <= passing) await route.continue()
        else resolve()
      })
      .then(() => signIn(page, 'Ada Lindqvist'))
      .catch(reject)
  })
}

function countSnapshotRequests(page: Page): () => number {
  let count = 0
  page.on('request', (request) => {
    if (new URL(request.url()).pathname.startsWith('/sync/snapshot/')) count += 1
  })
  return () => count
}

/** Resolves when the page's socket, opened from now on, has received this text. */
function frameWith(page: Page, text: string): Promise<void> {
  return new Promise((resolve) => {
    page.on('websocket', (socket) => {
      socket.on('framereceived', ({ payload }) => {
        if (payload.toString().includes(text)) resolve()
      })
    })
  })
}

async function shownLsn(page: Page): Promise<Lsn> {
  return parsePgLsn((await page.getByTestId('lsn').textContent()) ?? '')
}

describe('tracker in a browser', () => {
  it('SNP-01 OPS-05 hydrates exactly the rows of the organisations its user belongs to', async () => {
    const page = await openPage()
    await hydrate(page, 'Dana Weiss')
    const rows = await expected([HARBOUR, FIELDNOTE], DANA)
    expect(await settledDigest(page)).toEqual(rows)
    const total = rows.reduce((sum, table) => sum + table.rows, 0)
    await page.getByTestId('rows').getByText(total.toLocaleString('en')).waitFor()
    const hidden = await queryReplica(page)(
      `SELECT column_name AS name FROM information_schema.columns WHERE column_name = 'invite_hash'`,
    )
    expect(hidden).toEqual([])
  })

  it('DIS-01 DIS-R1 shows a change made by SQL in Postgres without a reload, and none of other organisations', async () => {
    const page = await openPage()
    await hydrate(page, 'Ada Lindqvist')
    await page.evaluate(() => {
      document.documentElement.dataset.loaded = 'once'
    })
    await retitle(await newestIssue(LUMEN), 'Not for Harbour & Pine')
    const issue = await newestIssue(HARBOUR)
    await retitle(issue, 'Changed by SQL a moment ago')
    const row = page.locator('.issue-row', { hasText: 'Changed by SQL a moment ago' })
    await row.click()
    await query(
      `INSERT INTO public.comment (org_id, issue_id, author_id, body)
       SELECT org_id, id, creator_id, 'Said while the page was open.' FROM public.issue WHERE id = $1`,
      [issue],
    )
    await page.locator('.comment', { hasText: 'Said while the page was open.' }).waitFor()
    expect(await page.getByText('Not for Harbour & Pine').count()).toBe(0)
    expect(await page.evaluate(() => document.documentElement.dataset.loaded)).toBe('once')
    expect(await settledDigest(page)).toEqual(await expected([HARBOUR]))
  })

  it('OPS-05 DIS-R1 is used by keys, shows one organisation of two, and holds nobody else’s notes', async () => {
    const page = await openPage()
    await hydrate(page, 'Dana Weiss')
    const [noted] = await query(
      `SELECT issue.id, issue.title FROM public.note JOIN public.issue ON issue.id = note.issue_id
       WHERE note.user_id = $1 AND note.org_id = $2 ORDER BY issue.updated_at DESC LIMIT 1`,
      [DANA, HARBOUR],
    )
    for (const [user, body] of [
      [ADA, 'For Ada alone.'],
      [DANA, 'For Dana alone.'],
    ] as const) {
      await query(
        `INSERT INTO public.note (user_id, org_id, issue_id, body)
         SELECT $1::text::uuid, org_id, id, $2 FROM public.issue WHERE id = $3::text::uuid`,
        [user, body, noted?.id ?? ''],
      )
    }

    await page.getByLabel('Organisation').selectOption('Harbour & Pine')
    await page.getByRole('heading', { name: 'Fieldnote' }).waitFor({ state: 'detached' })
    await page.keyboard.press('/')
    await page.keyboard.insertText(noted?.title ?? '')
    await page.locator(`.issue-row[href="#${noted?.id}"]`).waitFor()
    await page.keyboard.press('Enter')
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('href'))
    while ((await focused()) !== `#${noted?.id}`) await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.locator('.notes', { hasText: 'For Dana alone.' }).waitFor()
    expect(await page.getByText('For Ada alone.').count()).toBe(0)
    expect(await settledDigest(page)).toEqual(await expected([HARBOUR, FIELDNOTE], DANA))
    await page.keyboard.press('Escape')
    await page.locator('.detail').waitFor({ state: 'detached' })

    await page.reload()
    await page.getByRole('heading', { name: 'Harbour & Pine' }).waitFor()
    expect(await page.getByRole('heading', { name: 'Fieldnote' }).count()).toBe(0)
  })

  it('DIS-R4 goes offline and online by its switch, and catches up from its cursor', async () => {
    const page = await openPage()
    await hydrate(page, 'Ada Lindqvist')
    const snapshotRequests = countSnapshotRequests(page)
    await page.getByRole('switch').click()
    await page.locator('.phase[data-phase="offline"]').waitFor()
    await retitle(await newestIssue(HARBOUR), 'Changed while the page was offline')
    await page.getByRole('searchbox').fill('voucher')
    await page
      .locator('.issue-row', { hasText: /voucher/i })
      .first()
      .waitFor()
    await page.getByRole('searchbox').fill('')
    expect(await page.getByText('Changed while the page was offline').count()).toBe(0)
    await page.getByRole('switch').click()
    await page.getByText('Changed while the page was offline').waitFor()
    expect(await settledDigest(page)).toEqual(await expected([HARBOUR]))
    expect(snapshotRequests()).toBe(0)
  })

  it('SNP-09 reloaded mid-hydration it is never shown half full, and finishes', async () => {
    const page = await openPage()
    await holdSnapshot(page, 2)
    expect(await workspace(page).count()).toBe(0)
    await page.unrouteAll({ behavior: 'ignoreErrors' })
    await page.reload()
    await live(page).waitFor()
    expect(await settledDigest(page)).toEqual(await expected([HARBOUR]))
  })

  it('FLT-09 killed while opening, mid-hydration, mid-apply and while live, the browser ends in the same state', async () => {
    const opening = await openPage()
    await signIn(opening, 'Ada Lindqvist')
    await opening.getByText('Opening your replica').waitFor()
    await browser.killAndRestart()
    await holdSnapshot(await openPage(), 2)
    await browser.killAndRestart()
    let page = await openPage()
    const arrived = frameWith(page, '(Checked.)')
    await comeBack(page, 'Ada Lindqvist')
    await live(page).waitFor()
    expect(await settledDigest(page)).toEqual(await expected([HARBOUR]))

    await query(`UPDATE public.issue SET body = body || ' (Checked.)' WHERE org_id = $1`, [HARBOUR])
    await arrived
    await browser.killAndRestart()
    page = await openPage()
    const snapshotRequests = countSnapshotRequests(page)
    await comeBack(page, 'Ada Lindqvist')
    await live(page).waitFor()
    await browser.killAndRestart()
    page = await openPage()
    const laterSnapshotRequests = countSnapshotRequests(page)
    await retitle(await newestIssue(HARBOUR), 'Changed while the browser was dead')
    await comeBack(page, 'Ada Lindqvist')
    await page.getByText('Changed while the browser was dead').waitFor()
    expect(await settledDigest(page)).toEqual(await expected([HARBOUR]))
    expect(snapshotRequests() + laterSnapshotRequests()).toBe(0)
  })

  it('FLT-07 a killed server comes back: the page works on meanwhile, also loaded anew, and resumes from its cursor', async () => {
    const page = await openPage({ isKept: true })
    const snapshotRequests = countSnapshotRequests(page)
    await hydrate(page, 'Ada Lindqvist')
    const requestsOfHydration = snapshotRequests()
    expect(requestsOfHydration).toBeGreaterThan(0)
    const lsn = await shownLsn(page)
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => true))

    const port = Number(new URL(server.url).port)
    await server.kill()
    await page.locator('.phase:not([data-phase="live"])').waitFor()
    await page.getByRole('searchbox').fill('delivery calendar')
    await page
      .locator('.issue-row', { hasText: /delivery calendar/i })
      .first()
      .waitFor()
    // Loaded anew without any server, it opens from what the browser kept.
    await page.reload()
    await page.locator('.issue-row').first().waitFor()
    expect(await page.locator('.phase').getAttribute('data-phase')).not.toBe('live')

    server = await startDev({ app: tracker.app, dataDir, port })
    await retitle(await newestIssue(HARBOUR), 'Changed after the restart')
    await page.getByText('Changed after the restart').waitFor()
    expect(await settledDigest(page)).toEqual(await expected([HARBOUR]))
    expect((await shownLsn(page)) > lsn).toBe(true)
    expect(snapshotRequests()).toBe(requestsOfHydration)
  })

  it('TAB-01 TAB-02 a second tab shares the replica, and goes on with it when the first is closed', async () => {
    const first = await openPage()
    await hydrate(first, 'Ada Lindqvist')
    const second = await openPage()
    await second.goto(server.url)
    await retitle(await newestIssue(HARBOUR), 'Changed with two tabs open')
    for (const tab of [first, second]) {
      await tab.getByText('Changed with two tabs open').waitFor()
      expect(await settledDigest(tab)).toEqual(await expected([HARBOUR]))
    }

    await first.close()
    await retitle(await newestIssue(HARBOUR), 'Changed after one was closed')
    await second.getByText('Changed after one was closed').waitFor()
    expect(await settledDigest(second)).toEqual(await expected([HARBOUR]))
  })

  it('APP-R12 signed out, the next user sees only his own rows', async () => {
    const page = await openPage()
    await hydrate(page, 'Ada Lindqvist')
    await page.getByRole('button', { name: 'Sign out' }).click()
    // A page that is left before the replica is gone is still signed in.
    await page.getByRole('button', { name: 'Farid Rahimi' }).waitFor()
    await hydrate(page, 'Farid Rahimi')
    expect(await settledDigest(page)).toEqual(await expected([LUMEN], FARID))
  })
})
