import type { Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { endWorkers, recordWorkers } from '../testing/browser/record-workers.ts'
import { commitAll } from '../testing/replica/scripted-server.ts'
import { until } from '../testing/system/until.ts'
import {
  countLeaders,
  faultOf,
  openReplicaIn,
  phaseOf,
  run,
  setTitle,
  shownTitles,
  startTabPages,
  type TabPages,
  type TabsWindow,
  titles,
  watchTitles,
} from '../testing/tabs/tab-pages.ts'
import { serveFolders } from '../testing/writing/opened-folders.ts'

let folders: Awaited<ReturnType<typeof serveFolders>>
let pages: TabPages
let users = 0
/** Each test has a user, and so a replica, of its own. */
let user = ''

beforeAll(async () => {
  folders = await serveFolders()
  folders.server.answerPush = commitAll
  pages = await startTabPages(folders.url)
})
beforeEach(() => {
  users += 1
  user = `user-${users}`
})
afterAll(async () => {
  await pages?.close()
  await folders?.server.close()
})

const openTab = (query = '') => pages.openTab(user, { query })

it('TAB-01 TAB-R1 TAB-R11 three tabs have one leader, one socket, one database, and each sees what the others write', async () => {
  const before = folders.server.sessions.length
  const tabs = [await openTab(), await openTab(), await openTab()] as const
  for (const tab of tabs) await watchTitles(tab)
  await setTitle(tabs[1], 'of the second')
  await tabs[2].evaluate(() =>
    (window as unknown as TabsWindow).replica.transaction((tx) =>
      tx.query(`UPDATE note SET title = $1 WHERE id = '2'`, ['of the third']),
    ),
  )
  for (const tab of tabs) {
    await until(async () => (await shownTitles(tab))?.join() === 'of the second,of the third')
    expect(await titles(tab)).toEqual(['of the second', 'of the third'])
    expect(await phaseOf(tab)).toBe('live')
  }
  const roles = await Promise.all(
    tabs.map((tab) => tab.evaluate(() => (window as unknown as TabsWindow).replica.status.tabs)),
  )
  expect(roles.map((tabs) => tabs?.count)).toEqual([3, 3, 3])
  expect(roles.map((tabs) => tabs?.role).sort()).toEqual(['follower', 'follower', 'leader'])
  expect(await countLeaders(tabs[0], user)).toBe(1)
  expect(folders.server.sessions.length - before).toBe(1)
})

it('TAB-02 TAB-R5 TAB-R10 TAB-R11 the leader is closed: the next one goes on with every live query, all unsent work and the undo of each tab', async () => {
  const [first, second, third] = [await openTab(), await openTab(), await openTab()]
  await second.evaluate(() => (window as unknown as TabsWindow).replica.goOffline())
  await watchTitles(third)
  await setTitle(second, 'kept')
  await until(async () => (await shownTitles(third))?.[0] === 'kept')
  // A write that is under way when the leader goes is done once.
  const writing = second.evaluate(async () => {
    const { replica } = window as unknown as TabsWindow
    await Promise.all(Array.from({ length: 5 }, () => replica.actions.addOne({ id: '2' })))
  })
  await first.close()
  await writing
  expect(await run(second, `SELECT count FROM note WHERE id = '2'`)).toEqual([{ count: 5 }])
  expect(await titles(third)).toEqual(['kept', 'first'])
  await setTitle(third, 'afterwards', '2')
  await until(async () => (await shownTitles(third))?.join() === 'kept,afterwards')
  const undone = await third.evaluate(async () => (await (window as unknown as TabsWindow).replica.undo()) !== null)
  expect(undone).toBe(true)
  expect(await titles(second)).toEqual(['kept', 'first'])
})

it('TAB-04 TAB-R4 errors of another tab keep their SQLSTATE, kind and class, and values their types', async () => {
  await openTab()
  const follower = await openTab()
  expect(await faultOf(follower, (replica) => replica.db.query('SELECT 1 / 0'))).toMatchObject({ code: '22012' })
  expect(await faultOf(follower, (replica) => replica.db.query('SELECT nothing FROM note'))).toMatchObject({
    code: '42703',
  })
  expect(await faultOf(follower, (replica) => replica.actions.addOne({ id: 1 } as never))).toMatchObject({
    kind: 'bad-input',
  })
  expect(
    await faultOf(follower, (replica) =>
      replica.transaction(async (tx) => {
        await tx.query(`UPDATE note SET title = 'never' WHERE id = '1'`)
        throw new Error('No.')
      }),
    ),
  ).toMatchObject({ message: 'No.' })
  expect(await titles(follower)).toEqual(['first', 'first'])
  const [row] = (await follower.evaluate(async () => {
    const { db } = (window as unknown as TabsWindow).replica
    const { rows } = await db.query<Record<string, unknown>>(
      `SELECT 1::int8 AS big, now() AS at, ARRAY[1, 2] AS list, '{"a":[1]}'::jsonb AS json, '\\x00ff'::bytea AS bytes, $1::date AS day`,
      [new Date(Date.UTC(2026, 10, 30))],
    )
    return rows.map((one) =>
      Object.fromEntries(
        Object.entries(one).map(([name, value]) => [
          name,
          [Object.prototype.toString.call(value), JSON.stringify(value)],
        ]),
      ),
    )
  })) as unknown as [Record<string, readonly [string, string]>]
  expect(row).toMatchObject({
    big: ['[object Number]', '1'],
    at: ['[object Date]', expect.any(String)],
    list: ['[object Array]', '[1,2]'],
    json: ['[object Object]', '{"a":[1]}'],
    bytes: ['[object Uint8Array]', '{"0":0,"1":255}'],
    day: ['[object Date]', '"2026-11-30T00:00:00.000Z"'],
  })
})

it('TAB-04 TAB-R3 TAB-R7 a transaction of a tab is its own: nobody runs inside it, and a tab that is gone leaves nothing of it', async () => {
  const [first, second] = [await openTab(), await openTab()]
  await second.evaluate(() => (window as unknown as TabsWindow).replica.db.exec('BEGIN'))
  await setTitle(second, 'in the midst')
  const other = setTitle(first, 'of the other', '2')
  await second.evaluate(() => (window as unknown as TabsWindow).replica.db.query('ROLLBACK'))
  await other
  expect(await titles(second)).toEqual(['first', 'of the other'])
  await second.evaluate(async () => {
    const { db } = (window as unknown as TabsWindow).replica
    await db.query('BEGIN')
    await db.query(`UPDATE note SET title = 'left behind' WHERE id = '1'`)
  })
  await second.close()
  expect(await titles(first)).toEqual(['first', 'of the other'])
  expect(await faultOf(first, (replica) => replica.db.exec('SET search_path = pg_catalog'))).toMatchObject({
    kind: 'bad-input',
    message: expect.stringContaining('SET LOCAL'),
  })
})

it('TAB-06 TAB-R12 TAB-R22 a sign-out ends the replica in every tab, which shows nothing any more, and nobody opens it anew', async () => {
  const [first, second] = [await openTab(), await openTab()]
  await setTitle(first, 'secret')
  for (const tab of [first, second]) await watchTitles(tab)
  for (const tab of [first, second]) await until(async () => (await shownTitles(tab))?.[0] === 'secret')
  expect(await faultOf(second, (replica) => replica.signOut())).toMatchObject({ name: 'UnsentWork', pending: 1 })
  await second.evaluate(() => (window as unknown as TabsWindow).replica.signOut({ dropUnsent: true }))
  for (const tab of [first, second]) await until(async () => (await phaseOf(tab)) === 'closed')
  for (const tab of [first, second]) await until(async () => (await shownTitles(tab))?.length === 0)
  expect(await faultOf(first, (replica) => replica.db.query('SELECT 1'))).toMatchObject({ kind: 'unavailable' })
  expect(await countLeaders(first, user)).toBe(0)
  const anew = await openTab()
  expect(await titles(anew)).toEqual(['first', 'first'])
})

it('TAB-02 TAB-R5 three tabs write while the leader is closed: each action is done once, and none is missing', async () => {
  const leader = await openTab()
  const writers = [await openTab(), await openTab(), await openTab()]
  const writing = writers.map((tab) =>
    tab.evaluate(async () => {
      const { replica } = window as unknown as TabsWindow
      for (let turn = 0; turn < 15; turn++) await replica.actions.addOne({ id: '1' })
    }),
  )
  await until(
    async () => ((await run(leader, `SELECT count FROM note WHERE id = '1'`))[0] as { count: number }).count > 5,
  )
  await leader.close()
  await Promise.all(writing)
  for (const tab of writers) expect(await run(tab, `SELECT count FROM note WHERE id = '1'`)).toEqual([{ count: 45 }])
})

it('TAB-03 TAB-R2 a frozen leader lets go: another tab leads within moments, and the frozen one follows when it wakes', async () => {
  const [first, second] = [await openTab(), await openTab()]
  await setTitle(first, 'before')
  const devtools = await first.context().newCDPSession(first)
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
  expect(await titles(second)).toEqual(['before', 'first'])
  await setTitle(second, 'meanwhile', '2')
  expect(await countLeaders(second, user)).toBe(1)
  await devtools.send('Page.setWebLifecycleState', { state: 'active' })
  expect(await titles(first)).toEqual(['before', 'meanwhile'])
  expect(await countLeaders(second, user)).toBe(1)
})

it('TAB-03 TAB-R1 TAB-R11 the process of the leading tab is killed: the others go on, and nothing that was answered is missing', async () => {
  const [first, second] = [await openTab(), await openTab()]
  await setTitle(first, 'answered')
  await watchTitles(second)
  await first.goto('chrome://crash').catch(() => undefined)
  expect(await titles(second)).toEqual(['answered', 'first'])
  await setTitle(second, 'after', '2')
  await until(async () => (await shownTitles(second))?.join() === 'answered,after')
})

it('TAB-05 TAB-R6 of two versions of the app the newer one leads, also where it comes later, and the older is told to reload', async () => {
  const older = await openTab('?migration=0001_first.sql')
  await setTitle(older, 'of the older')
  const newer = await openTab('?migration=0002_second.sql')
  const errorOf = (page: Page) =>
    page.evaluate(() => (window as unknown as TabsWindow).replica.status.error?.kind ?? null)
  await until(async () => (await errorOf(older)) === 'upgrade-required')
  expect(await errorOf(newer)).toBe(null)
  expect(await titles(newer)).toEqual(['of the older', 'first'])
  await setTitle(older, 'still writing')
  expect(await titles(newer)).toEqual(['still writing', 'first'])
  await newer.close()
  await until(async () => (await errorOf(older)) === null)
  expect(await titles(older)).toEqual(['still writing', 'first'])
})

it('TAB-07 TAB-R9 without Web Locks, or where the worker does not load, the opening fails by type; beside a leader it follows', async () => {
  const lockless = await pages.openPage()
  await lockless.evaluate(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }))
  const opening = (page: Page) =>
    page.evaluate(
      (name) =>
        (window as unknown as TabsWindow).openShared(name).then(
          () => null,
          ({ kind }) => kind,
        ),
      user,
    )
  expect(await opening(lockless)).toBe('storage')
  const offline = await pages.openPage()
  await offline.route('**/replica.worker*', (route) => route.abort())
  const alone = opening(offline)
  expect(await alone).toBe('storage')
  await openTab()
  expect(await opening(offline)).toBe(null)
  expect(await titles(offline)).toEqual(['first', 'first'])
})

it('TAB-08 TAB-R13 a replica that is opened twice in a page is one, and closes with its last user, leaving nothing', async () => {
  const page = await openTab()
  const states = await page.evaluate(async (name) => {
    const own = window as unknown as TabsWindow
    const first = own.replica
    await own.openShared(name)
    const second = own.replica
    await first.close()
    await first.close()
    const { rows } = await second.db.query('SELECT 1 AS one')
    await second.close()
    return [rows, first.status.phase, second.status.phase]
  }, user)
  expect(states).toEqual([[{ one: 1 }], 'closed', 'closed'])
  await until(async () => {
    const { held } = await page.evaluate(async () => {
      const { held: all = [] } = await navigator.locks.query()
      return { held: all.map(({ name }) => name) }
    })
    return !held.some((name) => name?.includes(user))
  })
})

it('TAB-02 TAB-R5 a write that shows in no synced row and was not answered says that it may have happened', async () => {
  const [first, second] = [await openTab(), await openTab()]
  await run(second, 'CREATE TABLE public.scratch (at timestamptz)')
  const unanswered = faultOf(second, (replica) =>
    replica.db.query('INSERT INTO scratch SELECT now() FROM pg_sleep(600)'),
  )
  const synced = faultOf(second, (replica) => replica.db.query(`UPDATE note SET count = count + 1 WHERE id = '1'`))
  await first.close()
  expect(await unanswered).toMatchObject({ kind: 'outcome-unknown' })
  expect(await synced).toBe(null)
  expect(await run(second, `SELECT count FROM note WHERE id = '1'`)).toEqual([{ count: 1 }])
})

it('FLD-244 APP-R31 an engine that was prepared before anybody signed in is the one that the replica opens in', async () => {
  const page = await pages.openPage()
  await recordWorkers(page)
  const storedNames = () =>
    page.evaluate(async () => {
      const names: string[] = []
      for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name)
      return names.sort()
    })
  const before = await storedNames()
  // StrictMode asks twice.
  await page.evaluate(() => {
    const { prepare } = window as unknown as TabsWindow
    return Promise.all([prepare(), prepare()])
  })
  expect(await storedNames()).toEqual(before)
  await openReplicaIn(page, user)
  expect(await titles(page)).toEqual(['first', 'first'])
  expect(await countLeaders(page, user)).toBe(1)
  // No other worker was made.
  expect(await endWorkers(page, 'replica.worker')).toBe(1)
  // The one after is made as ever.
  await setTitle(page, 'afterwards')
  expect(await titles(page)).toEqual(['afterwards', 'first'])
  await page.close()
})

it('FLD-181 TAB-R16 the worker of the only tab dies: it gets another one, and what was asked is done once', async () => {
  const page = await pages.openPage()
  await recordWorkers(page)
  await openReplicaIn(page, user)
  await watchTitles(page)
  await setTitle(page, 'answered')
  const adding = page.evaluate(async () => {
    const { replica } = window as unknown as TabsWindow
    await Promise.all(Array.from({ length: 5 }, () => replica.actions.addOne({ id: '2' })))
  })
  expect(await endWorkers(page, 'replica.worker')).toBe(1)
  await adding
  expect(await run(page, `SELECT count FROM note WHERE id = '2'`)).toEqual([{ count: 5 }])
  await setTitle(page, 'afterwards', '2')
  await until(async () => (await shownTitles(page))?.join() === 'answered,afterwards')
  expect(await countLeaders(page, user)).toBe(1)
  await page.close()
})

it('TAB-07 TAB-R9 a tab that holds the replica and does not answer is told of in bounded time', async () => {
  const [silent, page] = [await pages.openPage(), await pages.openPage()]
  await silent.evaluate((name) => {
    const replica = JSON.stringify(['opfs-ahp://tabs', name])
    void navigator.locks.request(`tidemark-leader:${replica}`, () => new Promise(() => undefined))
  }, user)
  const fault = await page.evaluate(
    (name) =>
      (window as unknown as TabsWindow).openShared(name).then(
        () => null,
        ({ kind }) => kind,
      ),
    user,
  )
  expect(fault).toBe('stalled')
})
