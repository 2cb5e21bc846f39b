import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import type { ScriptedServer } from '../../testing/replica/scripted-server.ts'
import { type LinkedTab, linkTab } from '../../testing/tabs/linked-tab.ts'
import { folderSync, serveFolders } from '../../testing/writing/opened-folders.ts'
import type { LocalCore } from '../local-core.ts'
import { openLocalCore } from '../open-local-core.ts'
import { type TabMethod, type ToLeader, tabChannel } from './tab-messages.ts'

/** A value whose type its page asks for before it is sent. */
class Word {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  toString() {
    return this.text
  }
}

let server: ScriptedServer
let leader: LocalCore
let tab: LinkedTab

beforeAll(async () => {
  const served = await serveFolders()
  server = served.server
  leader = await openLocalCore(
    { url: served.url, user: 'ann', token: () => 'token', sync: folderSync, storage: 'memory://' },
    openPreparedDatabase,
    {},
  )
  await leader.waitReady()
  await leader.goOffline()
  tab = await linkTab(leader, 'ordered')
})
afterAll(async () => {
  tab.end()
  await leader.close()
  await server.close()
})

let named = 0
const nextCall = () => ({ tab: tab.name, call: `call ${++named}` })
const title = async () =>
  (await tab.db.query<{ title: string }>(`SELECT title FROM note WHERE id = '1'`)).rows[0]?.title
const retitle = (to: string | Word) => tab.db.query(`UPDATE note SET title = $1 WHERE id = '1'`, [to])

test('TAB-R20 an undo and an action come after what was called before them and before what was called after, though nothing is awaited', async () => {
  await retitle('kept')
  const [, undone, , counted] = await Promise.all([
    retitle(new Word('taken back')),
    tab.core.undo(nextCall()),
    retitle('later'),
    tab.db.query(`UPDATE note SET count = $1 WHERE id = '1' RETURNING count`, [new Word('10')]),
    tab.core.runAction('addOne', { id: '1' }, nextCall()),
  ])
  expect([typeof undone, await title(), counted.rows]).toEqual(['string', 'later', [{ count: 10 }]])
  const { rows } = await tab.db.query(`SELECT count FROM note WHERE id = '1'`)
  expect(rows).toEqual([{ count: 11 }])
  await Promise.all([tab.core.undo(nextCall()), tab.core.undo(nextCall()), tab.core.undo(nextCall())])
  // The action, the count and the last title, and so not what had been taken back before them.
  expect(await title()).toBe('kept')
})

test('TAB-R20 a LISTEN hears what is called after it, and not what was called before', async () => {
  const heard: string[] = []
  const tell = (payload: string) => tab.db.query(`SELECT pg_notify('told', $1)`, [new Word(payload)])
  const listening = [
    tell('before'),
    tab.db.listen('told', (payload) => heard.push(payload)),
    tell('meanwhile'),
    tab.db.exec(`NOTIFY told, 'and'`),
    tab.db.unlisten('told'),
    tell('after'),
  ]
  await Promise.all(listening)
  await tab.db.exec('SELECT 1')
  expect(heard).toEqual(['meanwhile', 'and'])
})

test('TAB-R20 TAB-R7 a LISTEN in a transaction is a part of it', async () => {
  const heard: string[] = []
  const listenIn = (channel: string, ends: (tx: { rollback(): Promise<void> }) => Promise<void>) =>
    tab.db.transaction(async (tx) => {
      await tx.listen(channel, (payload) => heard.push(payload))
      await tx.exec(`NOTIFY ${channel}, 'in ${channel}'`)
      await ends(tx)
    })
  await listenIn('committed', async () => undefined)
  await listenIn('rolled_back', (tx) => tx.rollback())
  await tab.db.exec(`NOTIFY committed, 'later'; NOTIFY rolled_back, 'later'`)
  expect(heard).toEqual(['in committed', 'later'])
  const stop = await tab.db.listen('rolled_back', (payload) => heard.push(`${payload} at last`))
  await tab.db.exec(`NOTIFY rolled_back, 'heard'`)
  expect(heard.slice(2).sort()).toEqual(['heard', 'heard at last'])
  await stop()
  // A transaction by statements of the tab's own.
  await Promise.all([
    tab.db.exec('BEGIN'),
    tab.db.listen('by_hand', (payload) => heard.push(payload)),
    tab.db.exec('COMMIT'),
  ])
  await tab.db.exec(`NOTIFY by_hand, 'by hand'`)
  expect(heard.at(-1)).toBe('by hand')
})

test('TAB-05 TAB-R23 an action that the leader’s version of the app lacks is refused by type, and nothing is written', async () => {
  const before = (await leader.readMutations(1))[0]?.id
  const refused = tab.core.runAction('ofTheNewVersion', { id: '1' }, nextCall())
  await expect(refused).rejects.toMatchObject({ name: 'TidemarkError', kind: 'bad-input' })
  await expect(refused).rejects.toThrow('There is no action of this name: ofTheNewVersion.')
  expect((await leader.readMutations(1))[0]?.id).toBe(before)
})

test('TAB-R20 the files of the database are read after what was called before', async () => {
  const ended: string[] = []
  const end = (name: string) => () => ended.push(name)
  await Promise.all([
    tab.db
      .transaction(async (tx) => {
        for (let turn = 0; turn < 5; turn++) await tx.query(`UPDATE note SET slug = $1 WHERE id = '2'`, [`of ${turn}`])
      })
      .then(end('transaction')),
    tab.db.query(`UPDATE note SET slug = $1 WHERE id = '2'`, [new Word('last')]).then(end('write')),
    tab.db.dumpDataDir('none').then(end('files')),
  ])
  expect(ended).toEqual(['transaction', 'write', 'files'])
})

test('TAB-R20 whatever a tab calls, its leader gets in the order of the calls', async () => {
  const { db, core } = tab
  const id = (await leader.readMutations(1))[0]?.id ?? ''
  /** Each method by what calls it; what belongs to a lease is in its own order. */
  const calls: Record<
    Exclude<TabMethod, 'describe' | 'beginLease' | 'endLease' | 'wake' | 'signOut'>,
    () => unknown
  > = {
    query: () => db.query(`SELECT $1::text`, [new Word('x')]),
    exec: () => db.exec('SELECT 1'),
    listen: () => db.listen('heard', () => undefined),
    unlisten: () => db.unlisten('heard'),
    dumpDataDir: () => db.dumpDataDir('none'),
    waitReady: () => core.waitReady(),
    runAction: () => core.runAction('addOne', { id: '1' }, nextCall()),
    waitConfirmed: () => core.waitConfirmed(id as never),
    decideFailure: () => core.decideFailure(id as never, { kind: 'discard' }, nextCall()),
    readMutations: () => core.readMutations(1),
    readMutation: () => core.readMutation(id),
    undo: () => core.undo(nextCall()),
    redo: () => core.redo(nextCall()),
    readHistory: () => core.readHistory('note', { id: '1' }, {}),
    readActivity: () => core.readActivity({}),
    readRowAt: () => core.readRowAt('note', { id: '1' }, '0/1'),
    planRestore: () => core.planRestore('note', { id: '1' }, '0/1', {}),
    planRollback: () => core.planRollback(id as never),
    carryOut: () => core.carryOut({ sources: [], steps: [] } as never, nextCall()),
    settled: () => core.settled(),
    reached: () => core.reached('0/1'),
    inspect: () => core.inspect(),
    goOffline: () => core.goOffline(),
    goOnline: () => core.goOnline(undefined),
    retryMigrations: () => core.retryMigrations(),
    reset: () => core.reset(),
    check: () => core.check(),
    exportUnsent: () => core.exportUnsent(1),
  }
  const asked: string[] = []
  const gotAll = Promise.withResolvers<void>()
  const names = Object.keys(calls)
  const leading = new BroadcastChannel(tabChannel(tab.name))
  leading.onmessage = ({ data }: MessageEvent<ToLeader>) => {
    if (data.type !== 'call' || data.method === 'describe') return
    asked.push(data.method)
    if (asked.length === names.length) gotAll.resolve()
  }
  const answers = names.map((name) => Promise.resolve(calls[name as keyof typeof calls]()).catch(() => undefined))
  await gotAll.promise
  leading.close()
  expect(asked).toEqual(names)
  // One waits for a confirmation that nobody gives.
  await Promise.all(answers.filter((_, index) => names[index] !== 'waitConfirmed'))
})
