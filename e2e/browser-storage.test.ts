import { fileURLToPath } from 'node:url'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchChromium, type TestBrowser } from '../testing/browser/launch-chromium.ts'
import { endWorkers, recordWorkers } from '../testing/browser/record-workers.ts'
import { type ServedPage, servePage } from '../testing/browser/serve-page.ts'
import { commitAll } from '../testing/replica/scripted-server.ts'
import type { Opening, StoragePage } from '../testing/storage/page/main.ts'
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

async function newPage(context?: BrowserContext): Promise<Page> {
  const page = await (context ?? browser).newPage()
  await page.goto(served.url)
  await page.waitForFunction(() => 'openStorage' in window)
  return page
}

/** The default storage of this browser, with a mutation that failed, one that was sent and one that was not. */
const DEFAULT = null
const ALL_KINDS = { fault: null, pending: 2, failed: 1, rebuilt: null, unprotected: null }

const inPage = <Result>(page: Page, work: (own: StorageWindow) => Promise<Result>) =>
  page.evaluate(`(${work})(window)`) as Promise<Result>

/** Opens a storage in a page of its own, and answers how that went. */
async function opening(storage: string | null = DEFAULT): Promise<Opening> {
  const page = await newPage()
  try {
    return await page.evaluate(async (name) => {
      const own = window as unknown as StorageWindow
      const how = await own.tryStorage(name)
      if (how.fault === null) await own.replica.close()
      return how
    }, storage)
  } finally {
    await page.close()
  }
}

async function writeAllKinds(storage: string | null = DEFAULT, context?: BrowserContext): Promise<Page> {
  const { server } = folders
  server.answerPush = (push) => {
    const outcomes = push.mutations.flatMap(({ counter, ...one }) =>
      one.kind === 'patch' && one.rows.some((row) => row.o === 'u' && row.d.title === 'refused')
        ? [{ counter, status: 'rejected' as const, rejection: { kind: 'refused' as const, message: 'Not today.' } }]
        : [],
    )
    return outcomes.length > 0 ? { outcomes, retry: null } : null
  }
  const page = await newPage(context)
  await page.evaluate(async (name) => {
    const own = window as unknown as StorageWindow
    await own.openStorage(name)
    await own.writeAllKinds()
  }, storage)
  return page
}

/** Waits for the browser's answer whether it keeps the storage. */
const persisted = (page: Page) =>
  inPage(page, async ({ replica }) => {
    while (replica.status.persisted === null) await new Promise((resolve) => setTimeout(resolve, 50))
    return replica.status.persisted
  })

/** The names of everything that the origin has; of a journal's two files each opening begins the other. */
async function namesOfOrigin(): Promise<string[]> {
  const page = await newPage()
  const names = await inPage(page, (own) => own.namesOfOrigin())
  await page.close()
  return names.map((name) => name.replace(/-[01]$/, ''))
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

it('RCT-R10 drizzle takes the database of a page as it is, reads, writes in transactions, and its queries are live', async () => {
  const page = await newPage()
  const titles = await page.evaluate(async () => {
    const own = window as unknown as StorageWindow
    await own.openStorage('opfs-ahp://drizzle')
    await own.replica.ready
    const read = await own.renameByDrizzle('1', 'by drizzle')
    await own.replica.signOut({ dropUnsent: true })
    return read
  })
  expect(titles).toEqual(['by drizzle', 'by drizzle'])
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
      await own.replica.signOut({ dropUnsent: true })
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

describe('a storage with pending, sent and failed work', () => {
  let names: string[]

  beforeAll(async () => {
    const page = await writeAllKinds()
    await inPage(page, (own) => own.replica.close())
    await page.close()
    names = await namesOfOrigin()
  })
  afterAll(() => {
    served?.lose(null)
    if (folders) folders.server.answerPush = commitAll
  })

  it('FLD-162 JRN-R1 JRN-R18 keeps it where a module does not load, says so, and begins no other storage', async () => {
    for (const lost of [/replica-worker/, /\.wasm/, /\.data/]) {
      served.lose(lost)
      expect(await opening(), String(lost)).toMatchObject({ fault: { kind: 'storage' } })
    }
    served.lose(/journal-worker/)
    expect(await opening()).toMatchObject({ ...ALL_KINDS, unprotected: expect.stringContaining('did not load') })
    served.lose(null)
    expect(await namesOfOrigin()).toEqual(names)
    expect(await opening()).toMatchObject(ALL_KINDS)
  })

  it('FLD-163 JRN-R1 keeps it where there is too little memory, and says so', async () => {
    await browser.killAndRestart({ wasmPages: 600 })
    expect(await opening()).toMatchObject({
      fault: { kind: 'storage', message: expect.stringContaining('too little memory') },
    })
    await browser.killAndRestart()
    expect(await namesOfOrigin()).toEqual(names)
    expect(await opening()).toMatchObject(ALL_KINDS)
  })

  it('FLD-164 JRN-R1 JRN-R12 keeps it where the quota is used up: what finds no room is refused, all else goes on', async () => {
    const page = await newPage()
    const devtools = await page.context().newCDPSession(page)
    const { origin } = new URL(served.url)
    const usedBytes = () => page.evaluate(async () => (await navigator.storage.estimate()).usage ?? 0)
    const leave = async (bytes: number) =>
      devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: (await usedBytes()) + bytes })
    try {
      await page.evaluate(async () => {
        const own = window as unknown as StorageWindow
        await own.openStorage(null)
        await own.replica.db.exec('CREATE TABLE large (text text); ALTER TABLE large ALTER text SET STORAGE EXTERNAL')
      })
      await leave(1_000_000)
      const large = await page.evaluate(() =>
        (window as unknown as StorageWindow).replica.db.query(`INSERT INTO large SELECT repeat('x', 3000000)`).then(
          () => 'written',
          (error: Error) => error.message,
        ),
      )
      expect(large).toContain('could not extend file')
      expect(
        await page.evaluate(async () => {
          const { db, close } = (window as unknown as StorageWindow).replica
          const { rows } = await db.query('SELECT count(*)::int AS n FROM large')
          await close()
          return rows
        }),
      ).toEqual([{ n: 0 }])
      // An opening begins a file of the journal. It works in what little was left, or says that there is no room.
      const full = await opening()
      if (full.fault) expect(full.fault).toMatchObject({ kind: 'storage', message: expect.stringContaining('no room') })
      else expect(full).toMatchObject(ALL_KINDS)
      // An opening writes some caches of Postgres; what the browser says is used may be older than what is.
      await leave(30_000_000)
      expect(await opening()).toMatchObject(ALL_KINDS)
    } finally {
      await devtools.send('Storage.overrideQuotaForOrigin', { origin })
      await page.close()
    }
    expect(await opening()).toMatchObject(ALL_KINDS)
  })

  it('FLD-165 JRN-R3 is left alone where a newer PGlite wrote it', async () => {
    const page = await newPage()
    const before = await page.evaluate(() =>
      (window as unknown as StorageWindow).garbleFile('tidemark', '/PG_VERSION', [0x31, 0x39, 0x0a]),
    )
    const sizes = await inPage(page, (own) => own.readOpfs())
    expect(await opening()).toMatchObject({ fault: { kind: 'upgrade-required' } })
    expect(await namesOfOrigin()).toEqual(names)
    expect(Object.keys(await inPage(page, (own) => own.readOpfs()))).toEqual(Object.keys(sizes))
    await page.evaluate(
      (bytes) => (window as unknown as StorageWindow).garbleFile('tidemark', '/PG_VERSION', bytes),
      before,
    )
    await page.close()
    expect(await opening()).toMatchObject(ALL_KINDS)
  })

  it('FLD-166 JRN-R2 JRN-R9 goes on where the list of files was cut, and comes back from the journal where a file is torn', async () => {
    const page = await newPage()
    await page.evaluate(() => (window as unknown as StorageWindow).tearList('tidemark', 'end'))
    expect(await opening()).toMatchObject(ALL_KINDS)
    expect(await namesOfOrigin()).toEqual(names)
    await page.evaluate(() => (window as unknown as StorageWindow).tearList('tidemark', 'middle'))
    expect(await opening()).toMatchObject({ ...ALL_KINDS, rebuilt: expect.stringContaining('put aside') })
    const [, second = ''] = (await namesOfOrigin()).filter((name) => !name.includes('journal'))
    await page.evaluate(
      (name) => (window as unknown as StorageWindow).garbleFile(name, '/global/pg_control', [0x5a, 0x5a]),
      second,
    )
    expect(await opening()).toMatchObject({ ...ALL_KINDS, rebuilt: expect.stringContaining('put aside') })
    await page.close()
  })

  it('FLD-167 JRN-R12 cannot be removed by another page while it is open; cleared by the user, it keeps what an open tab holds, else nothing', async () => {
    const page = await newPage()
    const devtools = await page.context().newCDPSession(page)
    await inPage(page, (own) => own.openStorage(null).then(() => own.replica.ready))
    const other = await newPage()
    const removal = await inPage(other, (own) =>
      own.loseDatabases().then(
        () => 'removed',
        (error: Error) => error.name,
      ),
    )
    expect(removal).toBe('NoModificationAllowedError')
    await other.close()
    expect(await page.evaluate(() => (window as unknown as StorageWindow).replica.status)).toMatchObject({
      pending: 2,
      failed: 1,
    })
    const clear = () =>
      devtools.send('Storage.clearDataForOrigin', { origin: new URL(served.url).origin, storageTypes: 'all' })
    await clear()
    // What is written by now comes to lie in a new journal, and what finds no files rejects.
    await page.evaluate(async () => {
      const { replica } = window as unknown as StorageWindow
      await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'later' WHERE id = '2'`))
      await replica.db.exec('CREATE TABLE later (id int PRIMARY KEY, text text)').catch(() => undefined)
    })
    await inPage(page, async ({ replica }) => {
      while (replica.status.unprotected !== null) await new Promise((resolve) => setTimeout(resolve, 50))
    })
    await page.evaluate(() => (window as unknown as StorageWindow).replica.close().catch(() => undefined))
    expect(await namesOfOrigin()).toEqual([expect.stringContaining('.journal')])
    expect(await opening()).toMatchObject({ fault: null, pending: 3, failed: 1, rebuilt: null })
    await clear()
    await page.close()
    expect(await namesOfOrigin()).toEqual([])
    expect(await opening()).toMatchObject({ fault: null, pending: 0, failed: 0, rebuilt: null, unprotected: null })
  })

  it('FLD-168 JRN-R18 the storage that was chosen first is kept to, also once there is a better one', async () => {
    const first = await newPage()
    await inPage(first, (own) => own.openStorage(null).then(() => own.replica.signOut()))
    await first.close()
    // A database without its journal is not begun, nor is one elsewhere that would be forgotten later.
    served.lose(/journal-worker/)
    expect(await opening()).toMatchObject({ fault: { kind: 'storage' } })
    served.lose(null)
    expect((await namesOfOrigin()).filter((name) => name.includes('/'))).toEqual([])
    expect(await opening()).toMatchObject({ fault: null, pending: 0 })
    const again = await newPage()
    await inPage(again, (own) => own.openStorage(null).then(() => own.replica.signOut()))
    await again.close()
    const page = await browser.newPage()
    await page.addInitScript(() => {
      // A browser without this file system has no such function.
      Object.assign(StorageManager.prototype, { getDirectory: undefined })
    })
    await page.goto(served.url)
    await page.waitForFunction(() => 'openStorage' in window)
    await inPage(page, (own) =>
      own
        .openStorage(null)
        .then(() => own.writeAllKinds())
        .then(() => own.replica.close()),
    )
    await page.close()
    expect(await opening()).toMatchObject(ALL_KINDS)
    expect((await namesOfOrigin()).filter((name) => !/^(\/pglite\/|tidemark-journal\/)/.test(name))).toEqual([])
  })

  it('FLD-169 JRN-R17 is asked to be kept, and a private window has a storage until it closes', async () => {
    const context = await browser.context.browser()?.newContext()
    const page = await writeAllKinds(DEFAULT, context)
    expect(typeof (await persisted(page))).toBe('boolean')
    await inPage(page, (own) => own.replica.close())
    const again = await newPage(context)
    expect(await again.evaluate(() => (window as unknown as StorageWindow).tryStorage(null))).toMatchObject(ALL_KINDS)
    await context?.close()
    const devtools = await browser.context.browser()?.newBrowserCDPSession()
    await devtools?.send('Browser.grantPermissions', {
      origin: new URL(served.url).origin,
      permissions: ['durableStorage'],
    })
    const granted = await newPage()
    await granted.evaluate(() => (window as unknown as StorageWindow).openStorage('idb://granted'))
    expect(await persisted(granted)).toBe(true)
    expect(await inPage(granted, (own) => own.tryStorage('memory://'))).toMatchObject({ fault: null, pending: 0 })
    expect(await inPage(granted, async (own) => own.replica.status.persisted)).toBeNull()
    await granted.close()
  })

  it.each(['opfs-ahp://lost', 'idb://lost'])(
    'FLD-180 TAB-R16 JRN-R1 keeps it where the worker of the database dies: every call ends with that fault, and it opens again in %s',
    async (storage) => {
      folders.server.answerPush = () => 503
      const page = await newPage()
      await recordWorkers(page)
      await page.evaluate(async (name) => {
        const own = window as unknown as StorageWindow
        await own.openStorage(name)
        await own.replica.ready
        await own.replica.db.query(`UPDATE note SET title = 'kept' WHERE id = '1'`)
        const waiting = own.replica.db.query('SELECT pg_sleep(600)').catch(({ kind }) => kind)
        Object.assign(window, { waiting })
      }, storage)
      expect(await endWorkers(page, 'replica-worker')).toBe(1)
      expect(await page.evaluate(() => (window as unknown as { waiting: Promise<unknown> }).waiting)).toBe('storage')
      const ended = await inPage(page, async ({ replica }) => {
        while (replica.status.phase !== 'closed' || !replica.status.error)
          await new Promise((done) => setTimeout(done, 50))
        const { kind, message } = replica.status.error
        return [kind, message, await replica.db.query('SELECT 1').catch((error) => error.kind)]
      })
      expect(ended).toEqual(['storage', expect.stringContaining('has ended'), 'storage'])
      expect(
        await page.evaluate((name) => (window as unknown as StorageWindow).tryStorage(name), storage),
      ).toMatchObject({ fault: null, rebuilt: null, unprotected: null, pending: 1 })
      await inPage(page, (own) => own.replica.close())
      await page.close()
    },
  )
})
