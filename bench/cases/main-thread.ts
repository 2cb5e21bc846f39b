import type { System } from '../../testing/system/start-system.ts'
import { type BenchWindow, openBenchPage, withBenchPage } from '../bench-page.ts'
import { directUrl, HYDRATE_ROWS, LARGE_ORG, tokenFor } from '../bench-system.ts'
import { type Figure, figure } from '../measure.ts'

const CHANGES = 10_000
const PENDING = 1_000
/** A task that keeps a page from answering its user. */
const TARGET = { atMost: 50 }
/** Each writes a day that the one before did not. */
const ENGINES = [
  ['worker', '2026-12-24'],
  ['page', '2026-12-25'],
] as const

/**
 * Measures the longest task of a page's main thread while a replica loads, catches up, and does pending work again: with
 * the engine in a worker of the app, and in the page.
 */
export function mainThread(system: System): Promise<Figure[]> {
  return withBenchPage(async (browser, url) => {
    const figures: Figure[] = []
    const database = await system.openDatabase()
    const retitle = (title: string, count: number) =>
      database.query('UPDATE public.issue SET title = $1 WHERE org_id = $2::text::uuid AND number <= $3::int', [
        title,
        LARGE_ORG,
        count,
      ])
    for (const [engine, day] of ENGINES) {
      const page = await openBenchPage(browser, url)
      const user = `tasks-${engine}`
      const load = {
        server: directUrl(system),
        user,
        token: await tokenFor(system, LARGE_ORG, user),
        engine,
        issues: HYDRATE_ROWS,
      }
      const loadMs = await page.evaluate(
        ({ server, user: name, token, engine: where, issues }) =>
          (window as unknown as BenchWindow).loadWatched(server, name, token, where, issues),
        load,
      )
      const catchUp = async (title: string, count: number, pending: number) => {
        await page.evaluate(([mutations, due]) => (window as unknown as BenchWindow).writeOffline(mutations, due), [
          pending,
          day,
        ] as const)
        await retitle(title, count)
        return await page.evaluate(
          (until) => (window as unknown as BenchWindow).catchUpWatched(until.title, until.count),
          { title, count },
        )
      }
      const catchUpMs = await catchUp(`caught up ${engine}`, CHANGES, 0)
      const rebaseMs = await catchUp(`rebased ${engine}`, PENDING, PENDING)
      await page.close()
      const target = engine === 'worker' ? TARGET : null
      const id = `main_thread.${engine}`
      const how = `the longest task of the page, 0 where none took 50 ms; Chromium, OPFS, the engine in ${engine === 'worker' ? 'the worker of the app' : 'the page'}`
      figures.push(
        figure(`${id}.load_ms`, loadMs, 'ms', target, `while ${HYDRATE_ROWS} issues load; ${how}`),
        figure(`${id}.catch_up_ms`, catchUpMs, 'ms', target, `while ${CHANGES} missed changes are applied; ${how}`),
        figure(`${id}.rebase_ms`, rebaseMs, 'ms', target, `while ${PENDING} pending mutations are done again; ${how}`),
      )
    }
    await database.close()
    return figures
  })
}
