import type { Page } from 'playwright-core'
import type { TestBrowser } from '../../testing/browser/launch-chromium.ts'
import type { System } from '../../testing/system/start-system.ts'
import { type BenchWindow, openBenchPage, withBenchPage } from '../bench-page.ts'
import { directUrl, HYDRATE_ROWS, LARGE_ORG, SMALL_ORG, tokenFor } from '../bench-system.ts'
import { type Figure, figure, median } from '../measure.ts'
import type { PageLoad } from '../page/loads.ts'
import { memoryMb } from '../processes.ts'

const ROUNDS = 3
const MEGABYTE = 2 ** 20
/** The first row of a large organisation comes at most so long after bare PGlite has started. */
const FIRST_ROW_AFTER_MS = 500
/** The names of the browser's processes in every build of it. */
const NAMES = ['chromium', 'chrome', 'headless_shell']
const browserMb = () => NAMES.reduce((sum, name) => sum + memoryMb(name), 0)

interface Measured extends PageLoad {
  readonly grownMb: number
}

/** Measures a fresh tab in which something is loaded. */
async function loadInTab(
  browser: TestBrowser,
  url: string,
  load: (page: Page) => Promise<PageLoad>,
): Promise<Measured> {
  const page = await openBenchPage(browser, url)
  const before = browserMb()
  const loaded = await load(page)
  const grownMb = browserMb() - before
  await page.close()
  return { ...loaded, grownMb }
}

/** Opens a replica of this organisation. */
async function argumentOf(system: System, org: string, user: string) {
  return { server: directUrl(system), user, token: await tokenFor(system, org, user) }
}

export function hydrateBrowser(system: System): Promise<Figure[]> {
  return withBenchPage(async (browser, url) => {
    const replicaOf = async (org: string, user: string) => {
      const argument = await argumentOf(system, org, user)
      return loadInTab(browser, url, (page) =>
        page.evaluate(
          ({ server, user: name, token }) => (window as unknown as BenchWindow).hydrate(server, name, token),
          argument,
        ),
      )
    }
    const bareOf = (name: string) =>
      loadInTab(browser, url, (page) =>
        page.evaluate((asked) => (window as unknown as BenchWindow).loadBareIssues(asked), name),
      )
    const small: Measured[] = []
    const large: Measured[] = []
    const bare: Measured[] = []
    for (let round = 0; round < ROUNDS; round++) {
      small.push(await replicaOf(SMALL_ORG, `small-${round}`))
      large.push(await replicaOf(LARGE_ORG, `large-${round}`))
      if (round === 0) await leaveIssues(browser, url, await argumentOf(system, LARGE_ORG, `large-${round}`))
      bare.push(await bareOf(`bare-${round}`))
    }
    const wrong = [...large, ...bare].find(({ rows }) => rows !== HYDRATE_ROWS)
    if (wrong) throw new Error(`The tab holds ${wrong.rows} issues.`)
    return figuresOf(small, large, bare)
  })
}

async function leaveIssues(browser: TestBrowser, url: string, argument: Awaited<ReturnType<typeof argumentOf>>) {
  const page = await openBenchPage(browser, url)
  await page.evaluate(
    ({ server, user, token }) => (window as unknown as BenchWindow).leaveIssues(server, user, token),
    argument,
  )
  await page.close()
}

function figuresOf(small: readonly Measured[], large: readonly Measured[], bare: readonly Measured[]): Figure[] {
  const medianOf = (all: readonly Measured[], value: (one: Measured) => number | null) =>
    median(all.map((one) => value(one) ?? Number.NaN))
  const how = `Chromium, OPFS, ${HYDRATE_ROWS} issues in a fresh tab, medians of ${ROUNDS}, taking turns`
  const loadMs = ({ elapsedMs, openMs }: Measured) => elapsedMs - openMs
  const bareOpenMs = medianOf(bare, ({ openMs }) => openMs)
  const fixedMb = medianOf(small, ({ grownMb }) => grownMb)
  const grownMb = medianOf(large, (one) => one.grownMb)
  const bareMb = medianOf(bare, (one) => one.grownMb)
  return [
    figure(
      'hydrate.browser.ratio',
      medianOf(bare, loadMs) / medianOf(large, loadMs),
      '×',
      { atLeast: 0.8 },
      `of the rate of one COPY into bare PGlite, with the same key and indexes, both from the open database on; ${how}`,
    ),
    figure(
      'hydrate.browser.rows_per_s',
      HYDRATE_ROWS / (medianOf(large, ({ elapsedMs }) => elapsedMs) / 1000),
      'rows/s',
      null,
      `${how}; from openReplica to ready, the start of PGlite included`,
    ),
    figure(
      'hydrate.browser.first_row_ms',
      medianOf(large, ({ firstRowMs }) => firstRowMs),
      'ms',
      { atMost: bareOpenMs + FIRST_ROW_AFTER_MS },
      `from openReplica; at most the start of bare PGlite and ${FIRST_ROW_AFTER_MS} ms; ${how}`,
    ),
    figure(
      'hydrate.browser.first_row_after_open_ms',
      medianOf(large, ({ firstRowMs, openMs }) => (firstRowMs ?? Number.NaN) - openMs),
      'ms',
      null,
      `the same from the replica's own start; ${how}`,
    ),
    figure('hydrate.browser.bare_start_ms', bareOpenMs, 'ms', null, `bare PGlite on new storage; ${how}`),
    figure(
      'hydrate.browser.start_ms',
      medianOf(small, ({ elapsedMs }) => elapsedMs),
      'ms',
      null,
      'to ready with 200 issues',
    ),
    figure(
      'memory.browser.replica_mb',
      grownMb,
      'MB',
      null,
      `all of the browser’s processes, grown by a replica; ${how}`,
    ),
    figure('memory.browser.bare_mb', bareMb, 'MB', null, `likewise by bare PGlite with the same rows; ${how}`),
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
}
