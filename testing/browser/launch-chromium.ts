import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { DISCARDING_DISABLED_FEATURE, DISCARDING_FLAGS } from './discard-tab.ts'

/** A Chromium with a profile on disk, which can be killed outright and started again on the same profile. */
export interface TestBrowser {
  readonly context: BrowserContext
  newPage(): Promise<Page>
  /**
   * Ends it by SIGKILL, like a crash or an empty battery, and starts it anew with what the disk holds; with `wasmPages` no module
   * gets more memory than so many pages of 64 KiB.
   */
  killAndRestart(options?: { readonly wasmPages?: number }): Promise<void>
  close(): Promise<void>
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-backgrounding-occluded-windows',
  '--remote-debugging-port=0',
  // Chromium 156 loads two pages of its own for the address bar of each window, which cost as much as starting it.
  `--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,${DISCARDING_DISABLED_FEATURE}`,
]

/** WebAssembly is compiled once and not made faster later, and garbage is collected on one thread: an opening spends two fifths less. */
const UNOPTIMIZED = '--js-flags=--liftoff-only --single-threaded-gc'

/**
 * Launches the browser that `CHROMIUM_PATH` names, by default the system's Chromium. With `optimized` it runs
 * WebAssembly as users have it, for measurements; with `discards` its tabs can be discarded.
 */
export async function launchChromium({ optimized = false, discards = false } = {}): Promise<TestBrowser> {
  const flags = [...FLAGS, ...(optimized ? [] : [UNOPTIMIZED]), ...(discards ? DISCARDING_FLAGS : [])]
  const profile = mkdtempSync(join(tmpdir(), 'tidemark-profile-'))
  let running = await start(profile, flags)
  return {
    get context() {
      return running.context
    },
    newPage: () => running.newPage(),
    async killAndRestart({ wasmPages } = {}) {
      await running.kill()
      const bounded = wasmPages === undefined ? flags : [...FLAGS, `${UNOPTIMIZED} --wasm-max-mem-pages=${wasmPages}`]
      running = await start(profile, bounded)
    },
    async close() {
      await running.kill()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function start(profile: string, flags: readonly string[]) {
  // It gets a process group of its own, so that the wrapper script, the browser and its renderers end together.
  const child = spawn(
    process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    [...flags, `--user-data-dir=${profile}`, 'about:blank'],
    {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const browser = await chromium.connectOverCDP(await debuggingUrl(child))
  const [context] = browser.contexts()
  if (!context) throw new Error('Chromium has no default context.')
  const devtools = await browser.newBrowserCDPSession()
  return {
    context,
    /** Opens a window, because a page behind another draws once a second, and each click waits for two drawings. */
    async newPage() {
      const opened = context.waitForEvent('page')
      await devtools.send('Target.createTarget', { url: 'about:blank', newWindow: true })
      return await opened
    },
    async kill() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (child.pid !== undefined && child.exitCode === null) {
        process.kill(-child.pid, 'SIGKILL')
        await ended
      }
      await browser.close().catch(() => {})
    },
  }
}

function debuggingUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr?.setEncoding('utf8')
    child.stderr?.on('data', (text: string) => {
      said += text
      const url = /DevTools listening on (ws:\S+)/.exec(said)?.[1]
      if (url) resolve(url)
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`Chromium ended with ${code}:\n${said.slice(-2_000)}`)))
  })
}
