import type { Page } from 'playwright-core'

type Recording = Window & { workers?: (readonly [url: string, worker: Worker])[] }

/** Notes every worker that a page makes from now on. */
export const recordWorkers = (page: Page) =>
  page.evaluate(() => {
    const made: (readonly [string, Worker])[] = []
    const Made = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options)
        made.push([String(url), this])
      }
    }
    Object.assign(window, { workers: made, Worker: Made })
  })

/** Ends those of them whose file is named so, as a browser that runs out of memory does: nobody is told. */
export const endWorkers = (page: Page, name: string) =>
  page.evaluate((wanted) => {
    const ended = ((window as Recording).workers ?? []).filter(([url]) => url.includes(wanted))
    for (const [, worker] of ended) worker.terminate()
    return ended.length
  }, name)
