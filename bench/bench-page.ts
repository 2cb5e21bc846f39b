import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { build, preview } from 'vite'
import { launchChromium, type TestBrowser } from '../testing/browser/launch-chromium.ts'
import type { BenchFunctions } from './page/main.ts'

/** What the page leaves on its window. */
export type BenchWindow = BenchFunctions

/** Builds the page, serves it, and starts a browser for `measure`, which is given its address. */
export async function withBenchPage<Result>(
  measure: (browser: TestBrowser, url: string) => Promise<Result>,
): Promise<Result> {
  const root = fileURLToPath(new URL('page', import.meta.url))
  const outDir = mkdtempSync(join(tmpdir(), 'tidemark-bench-page-'))
  const rolldownOptions = { checks: { eval: false } }
  const shared = { root, configFile: false, logLevel: 'error' } as const
  await build({
    ...shared,
    worker: { format: 'es', rolldownOptions },
    build: { outDir, emptyOutDir: true, target: 'es2023', rolldownOptions },
  })
  const server = await preview({ ...shared, build: { outDir }, preview: { port: 0, host: '127.0.0.1' } })
  const browser = await launchChromium()
  try {
    return await measure(browser, server.resolvedUrls?.local[0] ?? '')
  } finally {
    await browser.close()
    await server.close()
    rmSync(outDir, { recursive: true, force: true })
  }
}

/** A fresh tab with the page's functions. */
export async function openBenchPage(browser: TestBrowser, url: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(url)
  await page.waitForFunction(() => 'hydrate' in window)
  return page
}
