import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import { type LinkedTab, linkTab } from '../../testing/tabs/linked-tab.ts'
import { folderSync } from '../../testing/writing/folder-sync.ts'
import type { LocalCore } from '../local-core.ts'
import { openLocalCore } from '../open-local-core.ts'

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
let tab: LinkedTab
let db: LinkedTab['db']

beforeAll(async () => {
  core = await openLocalCore(
    { url: 'http://localhost:9', user: 'ann', token: () => 'token', sync: folderSync, storage: 'memory://' },
    openPreparedDatabase,
    {},
  )
  await core.goOffline()
  tab = await linkTab(core, 'tab')
  db = tab.db
  await db.exec('CREATE TABLE public.step (nth serial, name text, at varchar)')
})
afterAll(async () => {
  tab.end()
  await core.close()
})

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
