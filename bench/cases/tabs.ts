import type { Page } from 'playwright-core'
import { type BenchWindow, openBenchPage, withBenchPage } from '../bench-page.ts'
import { type Figure, figure, median, percentile } from '../measure.ts'

const ROUNDS = 3
const QUERIES = 300
/** A leader that is gone is known within one second, and replaced within bare reopening and another one. */
const KNOWN_WITHIN_MS = 1_000
const MORE_THAN_BARE_MS = 1_000

async function openShared(open: () => Promise<Page>, name: string): Promise<Page> {
  const page = await open()
  await page.evaluate((user) => (window as unknown as BenchWindow).openShared(user), name)
  return page
}

/** Closes a leader with another tab beside it, then that one too, and opens the same folder as PGlite does by itself. */
async function replaceOnce(open: () => Promise<Page>, name: string) {
  const [leader, follower] = [await openShared(open, name), await openShared(open, name)]
  await leader.evaluate((user) => (window as unknown as BenchWindow).holdPlace(user), name)
  const waiting = follower.evaluate((user) => (window as unknown as BenchWindow).answeredAfter(user), name)
  await leader.close()
  const answered = await waiting
  await follower.close()
  const page = await open()
  const bareMs = await page.evaluate((user) => (window as unknown as BenchWindow).reopenBare(user), name)
  await page.close()
  return { ...answered, bareMs }
}

/** Measures from the end of the leading tab to the first answer of the one after it. */
export function tabsTakeover(): Promise<Figure[]> {
  return withBenchPage(async (browser, url) => {
    const rounds: Awaited<ReturnType<typeof replaceOnce>>[] = []
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push(await replaceOnce(() => openBenchPage(browser, url), `takeover-${round}`))
    }
    const answeredMs = median(rounds.map((round) => round.answeredMs))
    const bareMs = median(rounds.map((round) => round.bareMs))
    const how = `Chromium, OPFS, medians of ${ROUNDS}`
    return [
      figure(
        'tabs.takeover_ms',
        answeredMs,
        'ms',
        { atMost: bareMs + MORE_THAN_BARE_MS },
        `from the leader's end to the next one's first answer; at most bare reopening and a second; ${how}`,
      ),
      figure(
        'tabs.takeover_ratio',
        answeredMs / bareMs,
        '×',
        null,
        `to bare PGlite that opens the same folder; ${how}`,
      ),
      figure('tabs.takeover_bare_ms', bareMs, 'ms', null, `bare PGlite opens the same folder and answers; ${how}`),
      figure(
        'tabs.known_ms',
        median(rounds.map(({ knownMs }) => knownMs)),
        'ms',
        { atMost: KNOWN_WITHIN_MS },
        `until the other tab's status says switching; ${how}`,
      ),
    ]
  })
}

/** Measures a query in a tab that follows, beside one in the tab whose worker leads. */
export function tabsQuery(): Promise<Figure[]> {
  return withBenchPage(async (browser, url) => {
    const open = () => openBenchPage(browser, url)
    const [leader, follower] = [await openShared(open, 'queries'), await openShared(open, 'queries')]
    const delaysOf = (page: Page) =>
      page.evaluate((count) => (window as unknown as BenchWindow).queryDelays(count), QUERIES)
    // The first ones compile what all of them use.
    for (const page of [leader, follower]) await delaysOf(page)
    const [own, across] = [await delaysOf(leader), await delaysOf(follower)]
    const detail = `the median of ${QUERIES} queries one after another`
    return [
      figure(
        'tabs.query_overhead_ms',
        percentile(across, 0.5) - percentile(own, 0.5),
        'ms',
        { atMost: 3 },
        `${detail} in a tab that follows, above one in the leader's`,
      ),
      figure('tabs.query.p50_ms', percentile(across, 0.5), 'ms', null, `${detail} in a tab that follows`),
      figure('tabs.query.p99_ms', percentile(across, 0.99), 'ms', null, 'likewise'),
    ]
  })
}
