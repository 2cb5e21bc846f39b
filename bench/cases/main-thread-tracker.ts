import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { copyTracker } from '../../testing/browser/copy-tracker.ts'
import { startDev } from '../../testing/browser/start-dev.ts'
import { live, withoutServiceWorker } from '../../testing/browser/tracker-page.ts'
import { withDatabase } from '../../workers/database/index.ts'
import { withBenchPage } from '../bench-page.ts'
import { HYDRATE_ROWS, insertIssues, LARGE_ORG } from '../bench-system.ts'
import { type Figure, figure } from '../measure.ts'
import { type ObservedWindow, observeTasks } from '../observe-tasks.ts'

const CHANGES = 10_000
const PENDING = 1_000
const TARGET = { atMost: 50 }
const PATIENCE_MS = 600_000
const PERSON = 'Ada Lindqvist'

/** What the tracker leaves on its window, as far as this uses it. */
interface TrackerWindow extends ObservedWindow {
  readonly replica: {
    readonly db: { query<Row>(text: string, params?: unknown[]): Promise<{ rows: Row[] }> }
    readonly status: { readonly pending: number }
    goOffline(): void
    goOnline(): void
    settled(): Promise<void>
  }
}

/**
 * Measures the longest task of the tracker's own page, lists and marks included, while 100,000 issues load from the click on a
 * name on, while it catches up, and while pending work is done again.
 */
export async function mainThreadOfTracker(): Promise<Figure[]> {
  const tracker = copyTracker()
  const dataDir = mkdtempSync(join(tmpdir(), 'tidemark-tracker-tasks-'))
  const server = await startDev({ app: tracker.app, dataDir, port: 0 })
  const query = (text: string, params: (string | number)[] = []) =>
    withDatabase(server.env, (database) => database.query(text, params), { applicationName: 'bench' })
  try {
    await addIssues(server.env)
    return await withBenchPage(async (browser) => {
      const page = await browser.newPage()
      page.setDefaultTimeout(PATIENCE_MS)
      await withoutServiceWorker(page)
      await page.addInitScript(observeTasks)
      await page.goto(server.url)
      const button = page.getByRole('button', { name: PERSON })
      await button.waitFor()
      await page.evaluate(() => (window as unknown as TrackerWindow).checkObserver())
      await button.click()
      await live(page).waitFor()
      const loadMs = await longestTask(page)
      const held = await count(page, 'SELECT count(*)::int AS count FROM issue WHERE org_id = $1', [LARGE_ORG])
      if (held !== HYDRATE_ROWS) throw new Error(`${held} issues were loaded, not ${HYDRATE_ROWS}.`)

      const catchUp = async (title: string, changes: number, pending: number) => {
        await writeOffline(page, pending)
        await query('UPDATE public.issue SET title = $1 WHERE org_id = $2::text::uuid AND number <= $3::int', [
          title,
          LARGE_ORG,
          changes,
        ])
        await longestTask(page)
        await page.evaluate(async () => {
          const { replica } = window as unknown as TrackerWindow
          replica.goOnline()
          await replica.settled()
        })
        const longestMs = await longestTask(page)
        const seen = await count(page, 'SELECT count(*)::int AS count FROM issue WHERE title = $1', [title])
        if (seen !== changes) throw new Error(`${seen} issues were changed, not ${changes}.`)
        return longestMs
      }
      const catchUpMs = await catchUp('caught up', CHANGES, 0)
      const rebaseMs = await catchUp('rebased', PENDING, PENDING)
      await page.close()
      return figuresOf(loadMs, catchUpMs, rebaseMs)
    })
  } finally {
    await server.stop()
    tracker.remove()
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Makes an organisation of `HYDRATE_ROWS` issues, of which the person is a member. */
async function addIssues(env: Parameters<typeof withDatabase>[0]): Promise<void> {
  await withDatabase(
    env,
    async (database) => {
      await database.query(
        `INSERT INTO public.organization (id, name, slug) VALUES ($1::text::uuid, 'Bench', 'bench')`,
        [LARGE_ORG],
      )
      await database.query(
        `INSERT INTO public.membership (org_id, user_id, display_name, email)
         SELECT $1::text::uuid, id, name, email FROM public.app_user WHERE name = $2`,
        [LARGE_ORG, PERSON],
      )
      await database.query(`INSERT INTO public.project (org_id, key, name) VALUES ($1::text::uuid, 'BEN', 'Bench')`, [
        LARGE_ORG,
      ])
      await insertIssues(database, LARGE_ORG, 1, HYDRATE_ROWS)
    },
    { applicationName: 'bench', statementTimeoutMs: 0, idleInTransactionTimeoutMs: 0 },
  )
}

const longestTask = (page: Page) => page.evaluate(() => (window as unknown as TrackerWindow).longestTask())

async function count(page: Page, text: string, params: unknown[]): Promise<number> {
  const asked = { text, params }
  return page.evaluate(async ({ text: sql, params: values }) => {
    const { rows } = await (window as unknown as TrackerWindow).replica.db.query<{ count: number }>(sql, values)
    return rows[0]?.count ?? 0
  }, asked)
}

/** Goes offline and makes so many mutations of the issues that others change meanwhile. */
async function writeOffline(page: Page, pending: number): Promise<void> {
  const waiting = await page.evaluate(
    async ({ org, wanted }) => {
      const { replica } = window as unknown as TrackerWindow
      replica.goOffline()
      const { rows } = await replica.db.query<{ id: string }>(
        'SELECT id FROM issue WHERE org_id = $1 ORDER BY number LIMIT $2',
        [org, wanted],
      )
      for (const { id } of rows) await replica.db.query(`UPDATE issue SET due_on = '2026-12-24' WHERE id = $1`, [id])
      const counted = await replica.db.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM tidemark.mutation_status WHERE status = 'pending'`,
      )
      return counted.rows[0]?.count
    },
    { org: LARGE_ORG, wanted: pending },
  )
  if (waiting !== pending) throw new Error(`${waiting} mutations wait, not ${pending}.`)
}

function figuresOf(loadMs: number, catchUpMs: number, rebaseMs: number): Figure[] {
  const how = 'the longest task of the tracker’s page, 0 where none took 50 ms; Chromium, OPFS'
  return [
    figure(
      'main_thread.tracker.load_ms',
      loadMs,
      'ms',
      TARGET,
      `from the click on a name to live, with ${HYDRATE_ROWS} issues; ${how}`,
    ),
    figure(
      'main_thread.tracker.catch_up_ms',
      catchUpMs,
      'ms',
      TARGET,
      `while ${CHANGES} missed changes are applied; ${how}`,
    ),
    figure(
      'main_thread.tracker.rebase_ms',
      rebaseMs,
      'ms',
      TARGET,
      `while ${PENDING} pending mutations are done again; ${how}`,
    ),
  ]
}
