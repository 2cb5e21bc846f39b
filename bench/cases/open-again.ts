import type { System } from '../../testing/system/start-system.ts'
import { type BenchWindow, openBenchPage, withBenchPage } from '../bench-page.ts'
import { directUrl, HYDRATE_ROWS, LARGE_ORG, tokenFor } from '../bench-system.ts'
import { type Figure, figure, median } from '../measure.ts'

const ROUNDS = 5
const USER = 'again'
const BARE = 'again-bare'

/** Measures the first query of a later visit, on a replica that holds a large organisation, beside bare PGlite with the same rows. */
export function openAgainInBrowser(system: System): Promise<Figure[]> {
  return withBenchPage(async (browser, url) => {
    const inTab = async <Result>(work: (page: Awaited<ReturnType<typeof openBenchPage>>) => Promise<Result>) => {
      const page = await openBenchPage(browser, url)
      const result = await work(page)
      await page.close()
      return result
    }
    const given = { server: directUrl(system), user: USER, token: await tokenFor(system, LARGE_ORG, USER) }
    const issue = await inTab((page) =>
      page.evaluate(
        ({ server, user, token }) => (window as unknown as BenchWindow).leaveIssues(server, user, token),
        given,
      ),
    )
    await inTab((page) => page.evaluate((name) => (window as unknown as BenchWindow).loadBareIssues(name), BARE))
    const replicaMs: number[] = []
    const bareMs: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const asked = { user: USER, bare: BARE, issue }
      replicaMs.push(
        await inTab((page) =>
          page.evaluate(({ user, issue: id }) => (window as unknown as BenchWindow).openAgain(user, id), asked),
        ),
      )
      bareMs.push(
        await inTab((page) =>
          page.evaluate(({ bare, issue: id }) => (window as unknown as BenchWindow).openBareAgain(bare, id), asked),
        ),
      )
    }
    const how = `${HYDRATE_ROWS} stored issues, from opening to the answer to a first query for one of them; Chromium, OPFS, a fresh tab, medians of ${ROUNDS}, taking turns`
    return [
      figure(
        'open.again.browser.ratio',
        median(replicaMs) / median(bareMs),
        '×',
        { atMost: 1.1 },
        `of the time of bare PGlite; ${how}`,
      ),
      figure('open.again.browser_ms', median(replicaMs), 'ms', null, how),
      figure('open.again.browser_bare_ms', median(bareMs), 'ms', null, `bare PGlite; ${how}`),
    ]
  })
}
