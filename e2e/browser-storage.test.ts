import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { launchChromium, type TestBrowser } from '../testing/browser/launch-chromium.ts'
import { type ServedPage, servePage } from '../testing/browser/serve-page.ts'
import type { StoragePage } from '../testing/storage/page/main.ts'
import { serveFolders } from '../testing/writing/opened-folders.ts'

type StorageWindow = Window & StoragePage

let folders: Awaited<ReturnType<typeof serveFolders>>
let served: ServedPage
let browser: TestBrowser

beforeAll(async () => {
  folders = await serveFolders()
  served = await servePage(fileURLToPath(new URL('../testing/storage/page', import.meta.url)), folders.url)
  browser = await launchChromium()
})
afterAll(async () => {
  await browser?.close()
  await served?.close()
  await folders?.server.close()
})

async function newPage(): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(served.url)
  await page.waitForFunction(() => 'openStorage' in window)
  return page
}

const write = (page: Page, title: string) =>
  page.evaluate(async (text) => {
    const { replica } = window as unknown as StorageWindow
    replica.goOffline()
    const { id } = await replica.transaction((tx) => tx.query(`UPDATE note SET title = $1 WHERE id = '1'`, [text]))
    return id
  }, title)

it('FLD-130 HYD-R10 right after a first opening one statement may make as many files as PGlite keeps ready for it', async () => {
  const page = await newPage()
  const made = await page.evaluate(async () => {
    const own = window as unknown as StorageWindow
    await own.openStorage('opfs-ahp://many')
    // Each table has a heap, a key, a TOAST table and its index.
    await own.replica.db.exec(`DO $$ BEGIN
      FOR i IN 1..20 LOOP EXECUTE format('CREATE TABLE extra_%s (id int PRIMARY KEY, body text)', i); END LOOP;
    END $$`)
    const { rows } = await own.replica.db.query(
      `SELECT count(*)::int AS n FROM pg_tables WHERE tablename LIKE 'extra%'`,
    )
    await own.replica.signOut()
    return rows
  })
  expect(made).toEqual([{ n: 20 }])
})

it.each([
  ['opfs-ahp://kept', /^kept-[0-9a-f]+\.journal-[01]$/],
  ['idb://kept', /^tidemark-journal\/kept-[0-9a-f]+$/],
])(
  'FLD-120 JRN-R6 JRN-R9 JRN-R11 %s outlives a killed browser and the loss of its database, and a sign-out leaves nothing',
  async (storage, journal) => {
    let page = await newPage()
    await page.evaluate(async (name) => {
      const own = window as unknown as StorageWindow
      await own.openStorage(name)
      await own.replica.ready
    }, storage)
    const before = await write(page, 'Before the kill')
    await browser.killAndRestart()
    page = await newPage()
    await page.evaluate((name) => (window as unknown as StorageWindow).openStorage(name), storage)
    const after = await write(page, 'Before the loss')
    await page.close()
    page = await newPage()
    expect(await page.evaluate(() => (window as unknown as StorageWindow).loseDatabases())).toEqual([
      expect.stringMatching(journal),
    ])
    const found = await page.evaluate(async (name) => {
      const own = window as unknown as StorageWindow
      await own.openStorage(name)
      const { pending, unprotected } = own.replica.status
      await own.replica.ready
      const { rows } = await own.replica.db.query(`SELECT title FROM note WHERE id = '1'`)
      const ids = (await own.replica.mutations()).map(({ id }) => String(id))
      await own.replica.signOut()
      return { pending, unprotected, rows, ids, left: await own.loseDatabases() }
    }, storage)
    expect(found).toEqual({
      pending: 2,
      unprotected: null,
      rows: [{ title: 'Before the loss' }],
      ids: [after, before],
      left: [],
    })
  },
)
