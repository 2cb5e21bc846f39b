import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { counterOf, type MutationId } from '../protocol/index.ts'
import { discardTab } from '../testing/browser/discard-tab.ts'
import { CommittingServer } from '../testing/kills/committing-server.ts'
import { seededRandom } from '../testing/oracle/random.ts'
import { column, FOLDERS } from '../testing/replica/definitions.ts'
import { holdChunks } from '../testing/replica/hold-chunks.ts'
import { batch, type ScriptedServer } from '../testing/replica/scripted-server.ts'
import { until } from '../testing/system/until.ts'
import {
  countLeaders,
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

/** Tabs sleep for so long while the other tests run: longer than any bound of what is asked of them. */
const SLEEP_MS = 60_000
/** A worker takes so long to load meanwhile: longer than a tab waits for a leader. */
const LOADING_MS = 18_000

let pages: TabPages
const servers: ScriptedServer[] = []
let sleepers: Awaited<ReturnType<typeof putToSleep>>
let slow: Awaited<ReturnType<typeof openSlowly>>

beforeAll(async () => {
  const { url } = await serve()
  pages = await startTabPages(url, { discards: true })
  sleepers = await putToSleep()
  slow = await openSlowly()
  opened.length = 0
})
/** The tabs of a test go with it, since each has a worker. */
const opened: Page[] = []
afterEach(async () => {
  for (const page of opened.splice(0)) await page.close()
})
afterAll(async () => {
  await pages?.close()
  for (const server of servers) await server.close()
})

async function serve() {
  const served = await serveFolders()
  servers.push(served.server)
  return served
}

/** Opens tabs of one replica one after another, so that the first leads. */
async function openTabs(count: number, user: string, url?: string): Promise<Page[]> {
  const tabs: Page[] = []
  while (tabs.length < count) tabs.push(await pages.openTab(user, url === undefined ? {} : { url }))
  opened.push(...tabs)
  return tabs
}

const kill = (page: Page) => page.goto('chrome://crash').catch(() => undefined)
const setLifecycle = async (page: Page, state: 'frozen' | 'active') => {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Page.setWebLifecycleState', { state })
}
const countOf = async (page: Page, id = '1') =>
  ((await run(page, `SELECT count FROM note WHERE id = '${id}'`))[0] as { count: number }).count
/** Begins an action in a tab, which it waits for by itself. */
const beginAddOne = (page: Page, id = '1') =>
  page.evaluate((note) => {
    const own = window as unknown as TabsWindow & { adding: Promise<string> }
    own.adding = own.replica.actions.addOne({ id: note }).then(
      () => 'done',
      (error: unknown) => String(error),
    )
  }, id)
const addingOf = (page: Page) => page.evaluate(() => (window as unknown as { adding: Promise<string> }).adding)

/** Freezes a leader and a follower, each with a call in hand, and leaves a transaction of another tab alone. */
async function putToSleep() {
  const user = 'sleeper'
  const [leader, follower, awake] = (await openTabs(3, user)) as [Page, Page, Page]
  for (const tab of [leader, follower]) await watchTitles(tab)
  // Nothing else runs while this is open, so that both calls are still in hand when their tabs freeze.
  await awake.evaluate(() => (window as unknown as TabsWindow).replica.db.exec('BEGIN'))
  await beginAddOne(leader, '1')
  await beginAddOne(follower, '2')
  await setLifecycle(follower, 'frozen')
  await setLifecycle(leader, 'frozen')
  await awake.evaluate(() => (window as unknown as TabsWindow).replica.db.exec('ROLLBACK'))
  return { user, leader, follower, awake, idle: await leaveTransaction(), sinceMs: Date.now() }
}

/** Opens a replica in a tab whose worker does not load until `load` is called. */
async function openSlowly() {
  const page = await pages.openPage()
  const held: (() => void)[] = []
  await page.route('**/replica.worker*', async (route) => {
    await new Promise<void>((load) => held.push(load))
    await route.continue()
  })
  const opening = page.evaluate(() =>
    (window as unknown as TabsWindow).openShared('slow').then(
      () => 'open',
      (error: unknown) => String(error),
    ),
  )
  await until(() => held.length > 0)
  const load = () => {
    for (const release of held) release()
  }
  return { page, opening, sinceMs: Date.now(), load }
}

/** Leaves a transaction open that asks for nothing more until `goOn` is called. */
async function leaveTransaction(): Promise<Page> {
  const [idle] = (await openTabs(1, 'idle')) as [Page]
  await idle.evaluate(async () => {
    const own = window as unknown as TabsWindow & { goOn: () => void; left: Promise<unknown> }
    await new Promise<void>((begun) => {
      own.left = own.replica.db
        .transaction(async (tx) => {
          await tx.query(`UPDATE note SET title = 'left' WHERE id = '1'`)
          begun()
          await new Promise<void>((resolve) => {
            own.goOn = resolve
          })
          return tx.query('SELECT 1')
        })
        .catch(({ kind }) => kind)
    })
  })
  return idle
}

it('TAB-02 TAB-R14 who went offline stays so under the next leader, until a tab goes online', async () => {
  const user = 'offline'
  const [first, second, third] = (await openTabs(3, user)) as [Page, Page, Page]
  const leaderOf = (page: Page) => page.evaluate(() => (window as unknown as TabsWindow).replica.status.tabs?.role)
  const pendingOf = (page: Page) => page.evaluate(() => (window as unknown as TabsWindow).replica.status.pending)
  await second.evaluate(() => (window as unknown as TabsWindow).replica.goOffline())
  await until(async () => (await phaseOf(third)) === 'offline')
  await first.close()
  await until(async () => [await leaderOf(second), await leaderOf(third)].includes('leader'))
  await setTitle(third, 'kept here')
  expect([await phaseOf(second), await phaseOf(third)]).toEqual(['offline', 'offline'])
  await until(async () => (await pendingOf(second)) === 1)
  await third.evaluate(() => (window as unknown as TabsWindow).replica.goOnline())
  await until(async () => (await phaseOf(second)) === 'live')
})

it('TAB-02 TAB-R1 TAB-R9 the leader is closed amid a load, and the next one is killed amid it: the third loads on', async () => {
  const { server, url } = await serve()
  const user = 'loading'
  const release = holdChunks(server)
  const tabs: Page[] = []
  for (let count = 0; count < 3; count++) {
    const page = await pages.openPage()
    await page.evaluate(([name, to]) => (window as unknown as TabsWindow).openShared(name, to), [user, url] as const)
    tabs.push(page)
    opened.push(page)
  }
  const [first, second, third] = tabs as [Page, Page, Page]
  const asked = () => server.requests.filter((path) => path.split('/')[4] !== undefined).length
  await until(() => asked() > 0)
  await first.close()
  const before = asked()
  await until(() => asked() > before)
  const ready = third.evaluate(() => (window as unknown as TabsWindow).replica.ready)
  await kill(second)
  release()
  await ready
  expect(await titles(third)).toEqual(['first', 'first'])
  expect(await countLeaders(third, user)).toBe(1)
})

it('TAB-02 MIG-R1 the leader is closed amid a migration, and the next one is killed amid it: the third takes the version, with unsent work', async () => {
  const { server, url } = await serve()
  server.answerPush = () => 503
  // Each session is sent what it lacks.
  server.welcome = () => {
    const index = server.sessions.length
    void server.session(index).then(async (session) => {
      const { from } = await session.frame('stream')
      if (from < server.head) session.send(batch(from, server.head))
    })
    return {}
  }
  const user = 'migrating'
  const [first, second, third] = (await openTabs(3, user, url)) as [Page, Page, Page]
  await setTitle(second, 'unsent')
  const [folder, note] = FOLDERS.tables as [(typeof FOLDERS.tables)[0], (typeof FOLDERS.tables)[0]]
  const columns = note.columns.map(({ name }) => ({ name, from: name }))
  const held: (() => void)[] = []
  let isHeld = true
  server.intercept = (path, response) => {
    if (path !== '/sync/migrations' || !isHeld) return false
    held.push(() => response.destroy())
    return true
  }
  server.head = '0000000000000200' as typeof server.head
  const withColor = { ...note, columns: [...note.columns, column('color')], since: 2 }
  server.putInForce({ types: [], tables: [folder, withColor] }, server.head, [
    { table: note.id, from: note.id, columns: [...columns, { name: 'color', from: null, value: 'red' }] },
  ])
  for (const session of server.sessions) session.cut()
  await until(() => held.length > 0)
  await first.close()
  await until(() => held.length > 1)
  isHeld = false
  for (const release of held) release()
  // The version is on its way to the second leader, which is killed as it takes it.
  await server.sessions.at(-1)?.frame('stream')
  await kill(second)
  const colors = async () => run(third, 'SELECT color FROM note ORDER BY id').catch(() => [])
  await until(async () => JSON.stringify(await colors()) === '[{"color":"red"},{"color":"red"}]')
  expect(await titles(third)).toEqual(['unsent', 'first'])
  await run(third, `UPDATE note SET color = 'blue' WHERE id = '2'`)
  expect(await colors()).toEqual([{ color: 'red' }, { color: 'blue' }])
})

it('TAB-02 TAB-R5 OBX-R1 the leader is killed amid a push that is done, the next one is closed amid one that is done late: each write is done once', async () => {
  const { server, url } = await serve()
  const committing = new CommittingServer(server, seededRandom('pushes'), notesOf(server))
  const answer = server.answerPush
  const decisions: (() => void)[] = []
  const answers: (() => void)[] = []
  let pushes = 0
  server.answerPush = async (push) => {
    pushes += 1
    if (pushes === 2) await new Promise<void>((decide) => decisions.push(decide))
    const decided = await answer(push)
    if (pushes === 1) await new Promise<void>((release) => answers.push(release))
    return decided
  }
  const [first, second, third] = (await openTabs(3, 'pushing', url)) as [Page, Page, Page]
  await run(second, `UPDATE note SET count = count + 1 WHERE id = '1'`)
  await until(() => answers.length > 0)
  await kill(first)
  await run(third, `UPDATE note SET title = 'pushed' WHERE id = '2'`)
  await until(() => decisions.length > 0)
  await second.close()
  for (const release of [...decisions, ...answers]) release()
  expect(await titles(third)).toEqual(['first', 'pushed'])
  expect(await countOf(third)).toBe(1)
  expect([...committing.notes.values()].map(({ title, count }) => [title, count])).toEqual([
    ['first', '1'],
    ['pushed', '0'],
  ])
  expect(committing.committed.size).toBe(2)
})

const notesOf = (server: ScriptedServer) => server.snapshots.get('org:a')?.rows['public.note'] ?? []

it('TAB-02 TAB-R5 five tabs write at once and their leader is closed amid it: each write that was answered is on the server, once', async () => {
  const { server, url } = await serve()
  const committing = new CommittingServer(server, seededRandom('five'), notesOf(server))
  const tabs = await openTabs(5, 'five', url)
  const said: MutationId[] = []
  for (const tab of tabs) await tab.exposeFunction('say', (id: MutationId) => void said.push(id))
  const writing = tabs.map((tab, place) =>
    tab.evaluate(async (number) => {
      const { replica, say } = window as unknown as TabsWindow & { say(id: string): Promise<void> }
      for (let turn = 0; turn < 12; turn++) {
        await say((await replica.actions.addOne({ id: '1' })).id)
        const insert = `INSERT INTO note (id, org, title, count) VALUES ($1, 'a', 'new', 0)`
        const { id } = await replica.transaction((tx) => tx.query(insert, [`${number}-${turn}`]))
        if (id) await say(id)
      }
    }, place),
  )
  const [leader, other] = tabs as [Page, Page]
  const leaving = writing[0]?.catch(() => undefined)
  await until(() => said.length > 20)
  await leader.close()
  await leaving
  await Promise.all(writing.slice(1))
  await other.evaluate(() => (window as unknown as TabsWindow).replica.settled())
  const counters = said.map(counterOf)
  expect(new Set(counters).size).toBe(said.length)
  expect(counters.filter((counter) => !committing.committed.has(counter))).toEqual([])
  const actions = [...committing.committed.values()].filter(({ kind }) => kind === 'action').length
  expect(await countOf(other)).toBe(actions)
  expect(committing.notes.get('1')?.count).toBe(String(actions))
  const { rows } = { rows: await run(other, 'SELECT id FROM note ORDER BY id COLLATE "C"') }
  expect(rows).toEqual([...committing.notes.keys()].sort().map((id) => ({ id })))
  expect(committing.clients.size).toBe(1)
})

it('TAB-03 TAB-R2 a tab that navigates away and comes back takes part again, and meanwhile another one leads', async () => {
  const user = 'navigating'
  const [first, second] = (await openTabs(2, user)) as [Page, Page]
  for (const away of [second, first]) {
    const other = away === first ? second : first
    await away.goto('about:blank')
    await setTitle(other, `while ${away === first ? 'first' : 'second'} is away`)
    expect(await countLeaders(other, user)).toBe(1)
    await away.goBack({ waitUntil: 'commit' })
    // A browser that kept the page has its replica in it; one that did not loads it anew.
    if (!(await away.evaluate(() => 'replica' in window))) {
      await away.waitForFunction(() => 'openShared' in window)
      await openReplicaIn(away, user)
    }
    expect(await titles(away)).toEqual(await titles(other))
    await setTitle(away, 'back', '2')
    expect(await titles(other)).toEqual(await titles(away))
  }
})

it('TAB-03 TAB-R1 TAB-R7 TAB-R11 a leader and a follower that the browser discards are as good as closed, and take part anew when they are looked at', async () => {
  const user = 'discarded'
  const [leader, follower, third] = (await openTabs(3, user)) as [Page, Page, Page]
  await third.evaluate(() => (window as unknown as TabsWindow).replica.goOffline())
  await watchTitles(third)
  await setTitle(leader, 'answered')
  const lookAtLeader = await discardTab(leader)
  expect(await titles(third)).toEqual(['answered', 'first'])
  await setTitle(third, 'meanwhile', '2')
  expect(await countLeaders(third, user)).toBe(1)
  // What a discarded tab left open is rolled back, and keeps nobody waiting.
  await follower.evaluate(async () => {
    const { db } = (window as unknown as TabsWindow).replica
    await db.query('BEGIN')
    await db.query(`UPDATE note SET title = 'left behind' WHERE id = '1'`)
  })
  const lookAtFollower = await discardTab(follower)
  await until(async () => (await shownTitles(third))?.join() === 'answered,meanwhile')
  for (const look of [lookAtLeader, lookAtFollower]) {
    const again = await look()
    opened.push(again)
    await again.waitForFunction(() => 'openShared' in window)
    expect(await again.evaluate(() => (document as unknown as { wasDiscarded: boolean }).wasDiscarded)).toBe(true)
    await openReplicaIn(again, user)
    expect(await titles(again)).toEqual(['answered', 'meanwhile'])
    expect(await phaseOf(again)).toBe('offline')
  }
  // All tabs of the replica go, and the one that comes back finds what was not sent.
  const remaining = opened.at(-1) as Page
  await third.close()
  await opened.at(-2)?.close()
  const alone = await (await discardTab(remaining))()
  opened.push(alone)
  await alone.waitForFunction(() => 'openShared' in window)
  await openReplicaIn(alone, user)
  expect(await titles(alone)).toEqual(['answered', 'meanwhile'])
  expect(await countLeaders(alone, user)).toBe(1)
})

it('TAB-02 TAB-R7 a transaction that asks for nothing for half a minute is rolled back, so that others go on, and is told so', async () => {
  const { idle } = sleepers
  expect(await titles(idle)).toEqual(['first', 'first'])
  const told = await idle.evaluate(() => {
    const own = window as unknown as { goOn: () => void; left: Promise<unknown> }
    own.goOn()
    return own.left
  })
  expect(told).toBe('lease-ended')
})

it('TAB-07 TAB-R9 a tab whose worker takes long to load waits for it, longer than for a leader that does not answer', async () => {
  const { page, opening, sinceMs, load } = slow
  await until(() => Date.now() - sinceMs >= LOADING_MS)
  load()
  expect(await opening).toBe('open')
  await page.evaluate(() => (window as unknown as TabsWindow).replica.ready)
  expect(await titles(page)).toEqual(['first', 'first'])
})

it('TAB-03 TAB-R2 TAB-R9 TAB-R11 a leader and a follower that sleep for a minute are not missed, and go on where they were when they wake', async () => {
  const { user, leader, follower, awake, sinceMs } = sleepers
  await setTitle(awake, 'meanwhile')
  expect(await countLeaders(awake, user)).toBe(1)
  await until(() => Date.now() - sinceMs >= SLEEP_MS)
  for (const sleeper of [leader, follower]) await setLifecycle(sleeper, 'active')
  for (const sleeper of [leader, follower]) {
    expect(await addingOf(sleeper)).toBe('done')
    await until(async () => (await shownTitles(sleeper))?.join() === 'meanwhile,first')
    await until(async () => (await phaseOf(sleeper)) === 'live')
    expect([await countOf(sleeper, '1'), await countOf(sleeper, '2')]).toEqual([1, 1])
  }
  expect(await countLeaders(awake, user)).toBe(1)
})
