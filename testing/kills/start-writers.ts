import { fileURLToPath } from 'node:url'
import type { TestBrowser } from '../browser/launch-chromium.ts'
import { startProcess } from '../replica/talking-process.ts'
import type { StartWriter } from './run-kills.ts'
import type { Word } from './write-on.ts'

const SCRIPT = fileURLToPath(new URL('./write-process.ts', import.meta.url))

interface WriterOptions {
  readonly url: string
  readonly storage: string
  readonly seed: string
}

/** Starts writers as processes of Node, which end by SIGKILL. */
export function inNode({ url, storage, seed }: WriterOptions): StartWriter {
  return async (run, listen) => {
    const writer = startProcess(process.execPath, [SCRIPT, url, storage, seed, run])
    const hear = async () => {
      for (;;) listen.word((await writer.line()) as Word)
    }
    hear().catch(listen.ended)
    return writer
  }
}

/** Starts writers as pages of a browser, which ends whole by SIGKILL and starts again. */
export function inChromium(browser: TestBrowser, { url, storage, seed }: WriterOptions): StartWriter {
  return async (run, listen) => {
    const page = await browser.newPage()
    await page.exposeFunction('say', listen.word)
    page.on('pageerror', listen.ended)
    await page.goto(`${url}?${new URLSearchParams({ storage, seed, run })}`)
    return { kill: () => browser.killAndRestart() }
  }
}
