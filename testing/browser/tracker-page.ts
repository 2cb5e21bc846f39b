import type { Page } from 'playwright-core'
import { digestReplica, type TableDigest } from './tracker-digest.ts'

/** The page leaves its replica on `window` for users of the console. */
interface ReplicaWindow {
  readonly replica: {
    readonly db: { query(text: string): Promise<{ rows: Record<string, string | null>[] }> }
    settled(): Promise<void>
  }
}

/** Runs a query in the tab's replica. */
export const queryReplica = (page: Page) => (text: string) =>
  page.evaluate(async (sql) => (await (window as unknown as ReplicaWindow).replica.db.query(sql)).rows, text)

/** Waits until everything written in the tab is decided and everything committed so far is there. */
export const untilSettled = (page: Page): Promise<void> =>
  page.evaluate(() => (window as unknown as ReplicaWindow).replica.settled())

/** Digests everything that the tab's replica holds once it is settled. */
export async function settledDigest(page: Page): Promise<TableDigest[]> {
  await untilSettled(page)
  return digestReplica(queryReplica(page))
}

/** Leaves the tab without a service worker, behind which requests could not be held or refused. */
export const withoutServiceWorker = (page: Page): Promise<unknown> =>
  page.addInitScript(() => {
    Reflect.deleteProperty(Navigator.prototype, 'serviceWorker')
  })

export const workspace = (page: Page) => page.locator('.workspace')
export const live = (page: Page) => page.locator('.phase[data-phase="live"]')

/** Removes the folders of a name from the origin's own files; answers the files of that name beside them. */
export const removeFolders = (page: Page, name: string): Promise<string[]> =>
  page.evaluate(async (wanted) => {
    const root = await navigator.storage.getDirectory()
    const found: string[] = []
    for await (const [entry, handle] of root.entries()) {
      if (!entry.includes(wanted)) continue
      if (handle.kind === 'directory') await root.removeEntry(entry, { recursive: true })
      else found.push(entry)
    }
    return found
  }, name)
