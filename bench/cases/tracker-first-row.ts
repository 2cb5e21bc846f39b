import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyTracker } from '../../testing/browser/copy-tracker.ts'
import type { TestBrowser } from '../../testing/browser/launch-chromium.ts'
import { startDev } from '../../testing/browser/start-dev.ts'
import { type BenchWindow, openBenchPage, withBenchPage } from '../bench-page.ts'
import { type Figure, figure, median } from '../measure.ts'

/** People of the demo data; each is new to the browser in their round. */
const PEOPLE = ['Ada Lindqvist', 'Dana Weiss', 'Chidi Okafor']
const ROW = '.issue-row'
const PATIENCE_MS = 120_000

interface ClickedWindow extends Window {
  firstRowMs?: number
}

/** From the click on one's name to the first issue that is shown, beside PGlite that opens a directory that is there. */
export async function trackerFirstRow(): Promise<Figure[]> {
  const tracker = copyTracker()
  const dataDir = mkdtempSync(join(tmpdir(), 'tidemark-first-row-'))
  const server = await startDev({ app: tracker.app, dataDir, port: 0 })
  try {
    return await withBenchPage(async (browser, url) => {
      const clicked: number[] = []
      const bare: number[] = []
      for (const [round, person] of PEOPLE.entries()) {
        clicked.push(await clickToRow(browser, server.url, person))
        await openBare(browser, url, `prepared-${round}`)
        bare.push(await openBare(browser, url, `prepared-${round}`))
      }
      return figuresOf(clicked, bare)
    })
  } finally {
    await server.stop()
    tracker.remove()
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function clickToRow(browser: TestBrowser, url: string, person: string): Promise<number> {
  const page = await browser.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  await page.goto(url)
  const button = page.getByRole('button', { name: person })
  await button.waitFor()
  await page.evaluate((row) => {
    const own = window as ClickedWindow
    const begin = () => {
      const start = performance.now()
      const look = () => {
        if (document.querySelector(row)) own.firstRowMs = performance.now() - start
        else requestAnimationFrame(look)
      }
      look()
    }
    addEventListener('click', begin, { capture: true, once: true })
  }, ROW)
  await button.click()
  await page.waitForFunction(() => (window as ClickedWindow).firstRowMs !== undefined)
  const delayMs = await page.evaluate(() => (window as ClickedWindow).firstRowMs ?? Number.NaN)
  // The next one finds nobody signed in.
  await page.evaluate(() => localStorage.clear())
  await page.close()
  return delayMs
}

/** Opens PGlite as it comes in a fresh tab; the second time its directory is there. */
async function openBare(browser: TestBrowser, url: string, name: string): Promise<number> {
  const page = await openBenchPage(browser, url)
  const { answeredMs } = await page.evaluate((asked) => (window as unknown as BenchWindow).openBare(asked), name)
  await page.close()
  return answeredMs
}

function figuresOf(clicked: readonly number[], bare: readonly number[]): Figure[] {
  const how = `Chromium, OPFS, a fresh tab, medians of ${PEOPLE.length}, taking turns`
  return [
    figure(
      'tracker.first_row',
      median(clicked) / median(bare),
      '×',
      { atMost: 2 },
      `of the time in which bare PGlite opens a directory that is there and answers; ${how}`,
    ),
    figure('tracker.first_row_ms', median(clicked), 'ms', null, `from the click on a name to the first issue; ${how}`),
    figure('tracker.first_row_bare_ms', median(bare), 'ms', null, `bare PGlite; ${how}`),
  ]
}
