import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { launchChromium } from '../browser/launch-chromium.ts'
import { servePage } from '../browser/serve-page.ts'
import type { TabsPage } from './page/main.ts'

export type TabsWindow = Window & TabsPage

/** Pages of one browser that share replicas. */
export interface TabPages {
  /** Opens a page that has opened nothing. */
  openPage(query?: string): Promise<Page>
  /** Opens a page and in it a user's replica, once it is ready. */
  openTab(user: string, options?: { readonly query?: string; readonly url?: string }): Promise<Page>
  close(): Promise<void>
}

/** Builds the page, serves it in front of `server`, and launches a browser, of which tabs can be discarded where it says so. */
export async function startTabPages(server: string, options: { readonly discards?: boolean } = {}): Promise<TabPages> {
  const served = await servePage(fileURLToPath(new URL('page', import.meta.url)), server)
  const browser = await launchChromium(options)
  const openPage = async (query = '') => {
    const page = await browser.newPage()
    await page.goto(`${served.url}${query}`)
    await page.waitForFunction(() => 'openShared' in window)
    return page
  }
  return {
    openPage,
    async openTab(user, { query = '', url } = {}) {
      const page = await openPage(query)
      await openReplicaIn(page, user, url)
      return page
    },
    async close() {
      await browser.close()
      await served.close()
    },
  }
}

/** Opens a user's replica in a page. */
export const openReplicaIn = (page: Page, user: string, url?: string) =>
  page.evaluate(
    async ([name, server]) => {
      const own = window as unknown as TabsWindow
      await own.openShared(name, server)
      await own.replica.ready
    },
    [user, url] as const,
  )

/** Runs a statement in a tab and answers its rows. */
export const run = (page: Page, sql: string, params: unknown[] = []) =>
  page.evaluate(
    async ([text, values]) => {
      const { rows } = await (window as unknown as TabsWindow).replica.db.query(text as string, values as unknown[])
      return rows
    },
    [sql, params] as const,
  )
export const titles = async (page: Page) =>
  ((await run(page, 'SELECT title FROM note ORDER BY id')) as { title: string }[]).map(({ title }) => title)
export const setTitle = (page: Page, title: string, id = '1') =>
  run(page, 'UPDATE note SET title = $1 WHERE id = $2', [title, id])
/** Answers the error of a call in a tab, as data. */
export const faultOf = (page: Page, call: (replica: TabsPage['replica']) => Promise<unknown>) =>
  page.evaluate(async (source) => {
    const { replica } = window as unknown as TabsWindow
    // biome-ignore lint/security/noGlobalEval: the function was written here.
    const made = eval(`(${source})`) as (of: typeof replica) => Promise<unknown>
    return made(replica).then(
      () => null,
      (error: Error & { code?: string; kind?: string }) => ({ ...error, name: error.name, message: error.message }),
    )
  }, call.toString())
/** Starts a live query of all titles, whose rows `shownTitles` reads. */
export const watchTitles = (page: Page) =>
  page.evaluate(() => {
    const own = window as unknown as TabsWindow & { store: ReturnType<TabsPage['replica']['live']>; calls: number }
    own.store = own.replica.live('SELECT id, title FROM note ORDER BY id')
    own.calls = 0
    own.store.subscribe(() => own.calls++)
  })
export const shownTitles = (page: Page) =>
  page.evaluate(() => {
    const own = window as unknown as { store: ReturnType<TabsPage['replica']['live']> }
    return (own.store.getSnapshot().rows as { title: string }[] | null)?.map(({ title }) => title) ?? null
  })
export const phaseOf = (page: Page) => page.evaluate(() => (window as unknown as TabsWindow).replica.status.phase)
/** Counts the workers that lead a user's replica, which this page sees too. */
export const countLeaders = async (page: Page, user: string) => {
  const held = await page.evaluate(async () => (await navigator.locks.query()).held?.map(({ name }) => name) ?? [])
  return held.filter((name) => name?.startsWith('tidemark-leader:') && name.includes(`"${user}"`)).length
}
