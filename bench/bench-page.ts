import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { launchChromium, type TestBrowser } from '../testing/browser/launch-chromium.ts'
import { servePage } from '../testing/browser/serve-page.ts'
import type { BenchFunctions } from './page/main.ts'

/** The functions that the page leaves on its window. */
export type BenchWindow = BenchFunctions

/** Builds the page, serves it, and starts a browser for `measure`, which is given its address. */
export async function withBenchPage<Result>(
  measure: (browser: TestBrowser, url: string) => Promise<Result>,
): Promise<Result> {
  const { url, close } = await servePage(fileURLToPath(new URL('page', import.meta.url)))
  const browser = await launchChromium({ optimized: true })
  try {
    return await measure(browser, url)
  } finally {
    await browser.close()
    await close()
  }
}

/** Opens a fresh tab with the page's functions. */
export async function openBenchPage(browser: TestBrowser, url: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(url)
  await page.waitForFunction(() => 'hydrate' in window)
  return page
}
