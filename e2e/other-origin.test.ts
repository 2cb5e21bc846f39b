import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium, type TestBrowser } from '../testing/browser/launch-chromium.ts'
import { type ServedPage, servePage } from '../testing/browser/serve-page.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'
import { run, type TabsWindow } from '../testing/tabs/tab-pages.ts'
import { sync } from '../testing/writing/sync.ts'

/** One server under two names is two origins: the Worker knows that of its address, and not that of its name. */
let served: ServedPage
let system: System
let browser: TestBrowser

beforeAll(async () => {
  served = await servePage(fileURLToPath(new URL('../testing/tabs/page', import.meta.url)))
  system = await startSystem({
    app: {
      sync,
      syncModule: new URL('../testing/writing/sync.ts', import.meta.url),
      migrations: new URL('../testing/writing/migrations/', import.meta.url),
    },
    workerOptions: { cors: { origins: [new URL(served.url).origin] } },
  })
  browser = await launchChromium()
})
afterAll(async () => {
  await browser?.close()
  await system?.dispose()
  await served?.close()
})

/** Opens a page, and in it a replica that may not become ready. */
async function open(url: string, user: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(url)
  await page.waitForFunction(() => 'openShared' in window)
  const token = await system.token({ userId: user, audiences: ['board:a'] })
  await page.evaluate(
    ([name = '', server, said]) => (window as unknown as TabsWindow).openShared(name, server, said),
    [user, system.url, token],
  )
  return page
}

const statusOf = (page: Page) =>
  page.evaluate(() => {
    const { ready, error } = (window as unknown as TabsWindow).replica.status
    return { ready, kind: error?.kind ?? null, message: error?.message ?? '' }
  })

/** Asks the server from a page, with the cookies that it has there; answers what the page may read of the answer. */
const ask = (page: Page, credentials: RequestCredentials) =>
  page.evaluate(
    async ([url = '', mode]) => {
      const answer = await fetch(`${url}/health`, { credentials: mode as RequestCredentials }).catch(() => null)
      return answer && [...answer.headers.keys()].sort()
    },
    [system.url, credentials],
  )

it('FLD-204 DIS-R15 a page of an origin that is named loads, follows, writes and is confirmed, without any cookie', async () => {
  const page = await open(served.url, 'ann')
  await page.evaluate(() => (window as unknown as TabsWindow).replica.ready)
  await run(page, `INSERT INTO note (id, board, title) VALUES ('1', 'a', 'from another origin')`)
  await page.evaluate(() => (window as unknown as TabsWindow).replica.settled())
  const database = await system.openDatabase()
  expect(await database.query('SELECT title FROM public.note')).toEqual([{ title: 'from another origin' }])
  await database.query(`UPDATE public.note SET title = 'from the server'`)
  await database.close()
  await until(async () => {
    const [row] = (await run(page, 'SELECT title FROM note')) as { title: string }[]
    return row?.title === 'from the server'
  })
  // Tokens go in a header that the answer to the preflight names; with cookies the browser keeps the answer from the page.
  expect(await ask(page, 'omit')).toContain('content-type')
  expect(await ask(page, 'include')).toBeNull()
})

it('FLD-205 DIS-R15 a page of an origin that is not named reads nothing, with a good token too, and says that it cannot', async () => {
  const page = await open(served.url.replace('127.0.0.1', 'localhost'), 'bob')
  await until(async () => (await statusOf(page)).kind !== null)
  const { origin } = new URL(page.url())
  const message = expect.stringContaining(`its \`cors\` does not name ${origin}`)
  expect(await statusOf(page)).toEqual({ ready: false, kind: 'unavailable', message })
  expect(await ask(page, 'omit')).toBeNull()
})
