import type { Page } from 'playwright-core'
import type { System } from '../../testing/system/start-system.ts'
import { type BenchWindow, openBenchPage, withBenchPage } from '../bench-page.ts'
import { directUrl } from '../bench-system.ts'
import { type Figure, figure, median, percentile } from '../measure.ts'
import type { Way } from '../page/ways.ts'
import { insertWatched, MOST, OPEN } from './live.ts'
import { tokenOf } from './write.ts'

/** Bare PGlite comes last, because it gets its rows of the first. */
const WAYS = ['page', 'worker', 'bare'] as const
const ROUNDS = 5
/** How many writes each way makes in each round. */
const WRITES = 60
const UPDATES = 40

/** Opens every way in one page, so that they can take turns. */
async function openWays(system: System, page: Page, name: string): Promise<void> {
  for (const way of WAYS) {
    const user = `${name}-${way}`
    const given = { way, server: directUrl(system), user, token: await tokenOf(system, user) }
    await page.evaluate(
      ({ way: asked, server, user: named, token }) =>
        (window as unknown as BenchWindow).openWay(asked, server, named, token),
      given,
    )
  }
}

const where = { page: 'the engine in the page', worker: 'the engine in the worker of the app' } as const

/** Measures local writes in a browser, on storage that keeps them, beside bare PGlite. */
export function localWriteInBrowser(system: System): Promise<Figure[]> {
  return withBenchPage(async (browser, url) => {
    const page = await openBenchPage(browser, url)
    await openWays(system, page, 'bench-write')
    const delays: Record<Way, number[]> = { page: [], worker: [], bare: [] }
    // In the first round everything is still being compiled.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const way of WAYS) {
        const delaysMs = await page.evaluate(
          ({ asked, writes }) => (window as unknown as BenchWindow).writeIn(asked, writes),
          { asked: way, writes: WRITES },
        )
        if (round > 0) delays[way].push(...delaysMs)
      }
    }
    const bareMs = median(delays.bare)
    const how = `${ROUNDS * WRITES} UPDATEs of one row, each from its call to a live query's callback, Chromium, OPFS, pushed meanwhile, taking turns`
    return [
      ...(['page', 'worker'] as const).flatMap((way) => {
        const id = way === 'page' ? 'write.local.browser' : 'write.local.browser.worker'
        const detail = `${how}; ${where[way]}`
        return [
          figure(`${id}.p50_ms`, median(delays[way]), 'ms', { atMost: 10 }, detail),
          figure(`${id}.p99_ms`, percentile(delays[way], 0.99), 'ms', null, detail),
          figure(`${id}.ratio`, median(delays[way]) / bareMs, '×', null, `to bare PGlite; ${detail}`),
        ]
      }),
      figure('write.local.browser.bare_p50_ms', bareMs, 'ms', null, `${how}; bare PGlite with its own live queries`),
      figure('write.local.browser.bare_p99_ms', percentile(delays.bare, 0.99), 'ms', null, 'likewise'),
    ]
  })
}

/** Measures an update of one row in a browser with 1, 10 and 50 live queries open, as `liveQueries` does in Node. */
export async function liveQueriesInBrowser(system: System): Promise<Figure[]> {
  const ids = await insertWatched(system)
  return withBenchPage(async (browser, url) => {
    const page = await openBenchPage(browser, url)
    await openWays(system, page, 'bench-live')
    await page.evaluate(() => (window as unknown as BenchWindow).goOffline())
    const delays = new Map<string, number[]>()
    for (let round = 0; round <= ROUNDS; round++) {
      for (const open of OPEN) {
        for (const way of WAYS) {
          const delaysMs = await page.evaluate(
            ({ asked, of, updates }) => (window as unknown as BenchWindow).updateIn(asked, of, updates),
            { asked: way, of: ids.slice(0, open), updates: UPDATES },
          )
          const key = `${way}.${open}`
          if (round > 0) delays.set(key, [...(delays.get(key) ?? []), ...delaysMs])
        }
      }
    }
    const medianOf = (way: Way, open: number) => median(delays.get(`${way}.${open}`) ?? [])
    const how = `an update of one row until its live query shows it and a statement after it is answered, median of ${ROUNDS * UPDATES}, Chromium, OPFS`
    return WAYS.flatMap((way) => {
      const id = `live.browser.${way}`
      const of = way === 'bare' ? 'bare PGlite with its own live queries' : where[way]
      const ratio = medianOf(way, MOST) / medianOf(way, 1)
      return [
        ...OPEN.map((open) =>
          figure(`${id}_${open}_ms`, medianOf(way, open), 'ms', null, `with ${open} open; ${how}; ${of}`),
        ),
        figure(
          `${id}_ratio`,
          ratio,
          '×',
          way === 'bare' ? null : { atMost: 1.2 },
          `${MOST} open live queries, of which one is touched, against one; ${of}`,
        ),
      ]
    })
  })
}
