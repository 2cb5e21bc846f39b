import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import { folderSync } from '../../testing/writing/folder-sync.ts'
import type { LocalCore } from '../local-core.ts'
import { openLocalCore } from '../open-local-core.ts'
import { Leases } from './leases.ts'
import { bundleOf } from './rules/compare-bundles.ts'
import { TabDatabase } from './tab-database.ts'
import { TabLink } from './tab-link.ts'
import { lockTab } from './tab-lock.ts'
import { TabSession } from './tab-session.ts'

const bundle = bundleOf(folderSync)

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

let core: LocalCore
let db: TabDatabase
let end: () => Promise<void>

/** A tab and the leader that serves it, each with its end of the channel between them. */
beforeAll(async () => {
  core = await openLocalCore(
    { url: 'http://localhost:9', user: 'ann', token: () => 'token', sync: folderSync, storage: 'memory://' },
    openPreparedDatabase,
    {},
  )
  await core.goOffline()
  const lock = await lockTab('tab')
  const greeting = { isVisible: true, isCandidate: false, history: null, wish: null }
  const welcomed = Promise.withResolvers<void>()
  const link = new TabLink('replica', lock.tab, {
    bundle,
    greet: () => greeting,
    onMessage: (message) => {
      if (message.type === 'notification') db.receiveNotification(message.channel, message.payload)
    },
    onSession: () => welcomed.resolve(),
    onAnnounced: () => undefined,
    onSwitching: () => undefined,
  })
  const session = new TabSession({
    leader: 'leader',
    core,
    leases: new Leases(core),
    inHand: new Map(),
    greeting: { ...greeting, tab: lock.tab, bundle },
    tabs: () => ({ role: 'follower', count: 1 }),
    wish: () => null,
    onWished: () => undefined,
    onSignedOut: () => undefined,
    onEnded: () => undefined,
  })
  end = async () => {
    link.close()
    session.end()
    lock.release()
    await core.close()
  }
  db = new TabDatabase(link, async () => undefined)
  session.welcome(bundle)
  await welcomed.promise
  await db.exec('CREATE TABLE public.step (nth serial, name text, at varchar)')
})
afterAll(() => end())

test('TAB-R15 what a tab asks first is run first though nothing is awaited, a transaction by statements too', async () => {
  const insert = 'INSERT INTO step (name, at) VALUES ($1, current_query()::varchar)'
  const literal = (name: string) => `INSERT INTO step (name) VALUES ('${name}')`
  await Promise.all([
    db.query(insert, [new Word('one')]),
    db.exec(literal('two')),
    db.exec('BEGIN'),
    db.query(insert, [new Word('taken back')]),
    db.exec(literal('taken back')),
    db.exec('ROLLBACK'),
    db.query(insert, [new Word('three')]),
    db.transaction(async (tx) => {
      void Promise.allSettled([tx.query(insert, [new Word('four')]), tx.exec(literal('five'))])
    }),
    db.exec(literal('six')),
  ])
  const { rows } = await db.query<{ name: string }>('SELECT name FROM step ORDER BY nth')
  expect(rows.map(({ name }) => name)).toEqual(['one', 'two', 'three', 'four', 'five', 'six'])
})

test('TAB-R4 notices of a statement that fails come too', async () => {
  const notices: { readonly message?: string }[] = []
  const onNotice = (notice: object) => void notices.push(notice)
  const failing = `DO $$ BEGIN RAISE NOTICE 'before'; RAISE EXCEPTION 'no'; END $$`
  await expect(db.exec(failing, { onNotice })).rejects.toMatchObject({ message: 'no', code: 'P0001' })
  expect(notices.map(({ message }) => message)).toEqual(['before'])
})

test('TAB-R4 each LISTEN that fails says so, and leaves no listener; what a tab listens to it hears', async () => {
  const heard: string[] = []
  const listening = () => db.listen('no channel', (payload) => heard.push(payload))
  await expect(listening()).rejects.toMatchObject({ code: '42601' })
  await expect(listening()).rejects.toMatchObject({ code: '42601' })
  const stops = await Promise.all(['one', 'two'].map((name) => db.listen('told', () => heard.push(name))))
  await db.exec('NOTIFY told')
  expect(heard).toEqual(['one', 'two'])
  for (const stop of stops) await stop()
  await db.exec('NOTIFY told')
  expect(heard).toEqual(['one', 'two'])
})
