import type { TestBrowser } from '../../testing/browser/launch-chromium.ts'
import type { System } from '../../testing/system/start-system.ts'
import { type BenchWindow, openBenchPage, withBenchPage } from '../bench-page.ts'
import { directUrl, HYDRATE_ROWS, LARGE_ORG, SMALL_ORG, tokenFor } from '../bench-system.ts'
import { type Figure, figure, median } from '../measure.ts'
import type { PageLoad } from '../page/main.ts'
import { memoryMb } from '../processes.ts'

const ROUNDS = 3
const MEGABYTE = 2 ** 20
/** The names of the browser's processes in every build of it. */
const NAMES = ['chromium', 'chrome', 'headless_shell']
const browserMb = () => NAMES.reduce((sum, name) => sum + memoryMb(name), 0)

interface Measured extends PageLoad {
  readonly grownMb: number
}

/** Measures a fresh tab in which a replica of this organisation is opened. */
async function loadInTab(
  system: System,
  browser: TestBrowser,
  url: string,
  org: string,
  user: string,
): Promise<Measured> {
  const page = await openBenchPage(browser, url)
  const before = browserMb()
  const argument = { server: directUrl(system), user, token: await tokenFor(system, org, user) }
  const load = await page.evaluate(
    ({ server, user: name, token }) => (window as unknown as BenchWindow).hydrate(server, name, token),
    argument,
  )
  const grownMb = browserMb() - before
  await page.close()
  return { ...load, grownMb }
}

export function hydrateBrowser(system: System): Promise<Figure[]> {
  return withBenchPage(async (browser, url) => {
    const small: Measured[] = []
    const large: Measured[] = []
    for (let round = 0; round < ROUNDS; round++) {
      small.push(await loadInTab(system, browser, url, SMALL_ORG, `small-${round}`))
      large.push(await loadInTab(system, browser, url, LARGE_ORG, `large-${round}`))
    }
    const wrong = large.find(({ rows }) => rows !== HYDRATE_ROWS)
    if (wrong) throw new Error(`The tab holds ${wrong.rows} issues.`)
    const fixedMb = median(small.map(({ grownMb }) => grownMb))
    const grownMb = median(large.map(({ grownMb }) => grownMb))
    const how = `Chromium, OPFS, ${HYDRATE_ROWS} issues in a fresh tab, medians of ${ROUNDS}`
    return [
      figure(
        'hydrate.browser.rows_per_s',
        HYDRATE_ROWS / (median(large.map(({ elapsedMs }) => elapsedMs)) / 1000),
        'rows/s',
        null,
        `${how}; from openReplica to ready, the start of PGlite included`,
      ),
      figure(
        'hydrate.browser.first_row_ms',
        median(large.map(({ firstRowMs }) => firstRowMs ?? Number.NaN)),
        'ms',
        null,
        `${how}; likewise`,
      ),
      figure(
        'hydrate.browser.start_ms',
        median(small.map(({ elapsedMs }) => elapsedMs)),
        'ms',
        null,
        'to ready with 200 issues',
      ),
      figure(
        'envelope.browser.fixed_mb',
        fixedMb,
        'MB',
        null,
        'all of the browser’s processes, by a replica of 200 issues',
      ),
      figure(
        'envelope.browser.row_bytes',
        ((grownMb - fixedMb) * MEGABYTE) / HYDRATE_ROWS,
        'bytes',
        null,
        `memory a row beyond that; ${how}`,
      ),
    ]
  })
}
