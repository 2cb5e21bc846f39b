import { fileURLToPath } from 'node:url'
import type { Page, Worker } from 'playwright-core'

/** Flags with which a browser can discard tabs: only an extension may ask it to. */
export const DISCARDING_FLAGS = [`--load-extension=${fileURLToPath(new URL('tab-discarder', import.meta.url))}`]
/** Without this feature a Chromium loads extensions that its command line names. */
export const DISCARDING_DISABLED_FEATURE = 'DisableLoadExtensionCommandLineSwitch'

interface TabsOfExtension {
  readonly windows: { create(options: { readonly tabId: number }): Promise<unknown> }
  readonly tabs: {
    query(query: { readonly title: string }): Promise<readonly { readonly id: number; readonly windowId: number }[]>
    create(options: { readonly windowId: number; readonly url: string }): Promise<unknown>
    discard(id: number): Promise<{ readonly id: number; readonly discarded: boolean } | undefined>
  }
}
type ExtensionGlobal = typeof globalThis & { readonly chrome: TabsOfExtension }

/**
 * Has the browser discard a tab as it does when memory runs out: its page and workers end without any event, and it is
 * loaded anew once the user looks at it. Answers the function that looks at it, which resolves with the new page.
 */
export async function discardTab(page: Page): Promise<() => Promise<Page>> {
  const context = page.context()
  const extension = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'))
  const title = `to be discarded ${crypto.randomUUID()}`
  await page.evaluate((name) => {
    document.title = name
  }, title)
  const ahead = context.waitForEvent('page')
  const closed = page.waitForEvent('close')
  const id = await discardTitled(extension, title)
  await closed
  const inFront = await ahead
  return async () => {
    const loaded = context.waitForEvent('page')
    // Only what is in front in the newest window is looked at, for a browser without a screen.
    await extension.evaluate((tab) => (globalThis as ExtensionGlobal).chrome.windows.create({ tabId: tab }), id)
    await inFront.close()
    return loaded
  }
}

const discardTitled = (extension: Worker, title: string) =>
  extension.evaluate(async (name) => {
    const { tabs } = (globalThis as ExtensionGlobal).chrome
    const [tab] = await tabs.query({ title: name })
    if (!tab) throw new Error('The tab is not there.')
    // A browser discards no tab that is in front.
    await tabs.create({ windowId: tab.windowId, url: 'about:blank' })
    // It gets another id with that.
    const left = await tabs.discard(tab.id)
    if (!left?.discarded) throw new Error('The browser did not discard the tab.')
    return left.id
  }, title)
