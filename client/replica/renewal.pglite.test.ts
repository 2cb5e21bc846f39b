import { describe, expect, test } from 'vitest'
import type { Definition, TableDefinition, TidemarkError } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import { holdChunks } from '../../testing/replica/hold-chunks.ts'
import {
  at,
  batch,
  committedAs,
  type ScriptedServer,
  type ScriptedSession,
  type SnapshotScript,
} from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'
import { planVersions } from './rules/plan-versions.ts'

closeAfterEach()

const columns = [column('id'), column('org', 'text', { notNull: true }), column('title')]
const note = defineTable('note', columns, { write: 'all', since: 1 })
const task = defineTable('task', columns, { write: 'all', since: 1 })
const FIRST: Definition = { types: [], tables: [note, task] }
const row = (id: string, more: Readonly<Record<string, string>> = {}) => ({
  id,
  org: 'a',
  title: `title ${id}`,
  ...more,
})

const snapshot = (position: number, rows: SnapshotScript['rows']): SnapshotScript => ({
  start: at(position),
  fence: at(position),
  snapshot: '10:10:',
  rows,
})

const SNAPSHOT = snapshot(0x100, { 'public.note': [row('n')], 'public.task': [row('t')] })

/** The task table as version 2 has it, with a column more. */
const wider = (more: Partial<TableDefinition> = {}): Definition => ({
  types: [],
  tables: [note, { ...task, columns: [...columns, column('more')], since: 2, ...more }],
})

function changeTo(
  server: ScriptedServer,
  definition: Definition,
  position: number,
  rows: SnapshotScript['rows'],
  placed = position,
): void {
  server.putInForce(definition, at(placed))
  server.snapshots.set('org:a', snapshot(position, rows))
}

const insert = (t: string, d: Readonly<Record<string, string>>) => ({
  o: 'i' as const,
  t: `public.${t}`,
  a: 'org:a',
  d,
})

/** Announces that the definition changed; answers the replica's request to go on with the stream. */
function askedToLoad(session: ScriptedSession) {
  const before = new Set<unknown>(session.received)
  session.send({ type: 'rehydrate', reason: 'definition' })
  return session.frame('stream', (frame) => !before.has(frame))
}

async function opened() {
  const { server, url } = await serve(FIRST, { 'org:a': SNAPSHOT })
  const warnings: TidemarkError[] = []
  const replica = await start(url, { onWarning: (warning) => warnings.push(warning) })
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
  const session = await server.session(0)
  await session.frame('stream')
  return { server, replica, warnings, session }
}

describe('a change of definition', () => {
  test('FLD-23 HYD-R6 costs a load of the tables concerned alone: the others stream on, and nothing is taken away meanwhile', async () => {
    const { server, replica, session } = await opened()
    const loaded = server.requests.length
    const wasReady: boolean[] = []
    replica.subscribe(({ ready }) => wasReady.push(ready))
    changeTo(server, wider(), 0x120, {
      'public.note': [row('n')],
      'public.task': [row('t', { more: 'x' }), row('u', { more: 'y' })],
    })
    const release = holdChunks(server)
    expect((await askedToLoad(session)).from).toBe(at(0x100))
    session.send(
      batch(at(0x100), at(0x130), [
        { lsn: at(0x110), xid: '11', changes: [insert('note', row('m')), insert('task', row('u'))] },
        { lsn: at(0x130), xid: '13', changes: [insert('task', row('v', { more: 'z' }))] },
      ]),
    )
    server.head = at(0x130)
    await statusThat(replica, ({ lsn }) => lsn === at(0x130))
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: 'm' }, { id: 'n' }])
    // What came before the change is taken, what comes after it waits for the load.
    expect(await rowsOf(replica, 'task', '*')).toEqual([row('t'), row('u')])
    const behind = replica.settled()
    release()
    // Changes that the snapshot lacks are sent again.
    await session.frame('stream', ({ from }) => from === at(0x120))
    session.send({ type: 'restarted', from: at(0x120) })
    session.send(
      batch(at(0x120), at(0x130), [{ lsn: at(0x130), xid: '13', changes: [insert('task', row('v', { more: 'z' }))] }]),
    )
    await behind
    expect(await rowsOf(replica, 'task', '*')).toEqual([
      row('t', { more: 'x' }),
      row('u', { more: 'y' }),
      row('v', { more: 'z' }),
    ])
    expect(replica.status.rows).toBe(5)
    expect(new Set(wasReady)).toEqual(new Set([true]))
    const chunks = server.requests.slice(loaded).filter((path) => path.split('/').length > 4)
    expect(chunks).toHaveLength(1)
    session.cut()
    expect((await server.session(1)).hello).toMatchObject({ definitionVersion: 2, cursor: at(0x130) })
  })

  test('FLD-24 HYD-R6 RBS-R7 own writes to a table that is loaded anew stay to be seen, and are settled where it joins', async () => {
    const { server, replica, session } = await opened()
    const sent = await replica.transaction((tx) => tx.query(`UPDATE task SET title = 'mine' WHERE id = 't'`))
    const [mutation] = (await server.push(0)).mutations
    const mine = row('t', { title: 'mine', more: 'x' })
    changeTo(server, wider(), 0x130, { 'public.note': [row('n')], 'public.task': [mine] }, 0x110)
    const release = holdChunks(server)
    expect((await askedToLoad(session)).from).toBe(at(0x100))
    const later = replica.transaction((tx) => tx.query(`INSERT INTO task VALUES ('w', 'a', 'later')`))
    await later
    if (mutation) session.send(batch(at(0x100), at(0x120), [committedAs(at(0x120), mutation)]))
    await statusThat(replica, ({ lsn }) => lsn === at(0x120))
    expect(await rowsOf(replica, 'task', 'id, title')).toEqual([
      { id: 't', title: 'mine' },
      { id: 'w', title: 'later' },
    ])
    expect((await replica.mutation(sent.id ?? ''))?.status).toBe('sent')
    release()
    await statusThat(replica, ({ hydration }) => hydration === null)
    session.send(batch(at(0x120), at(0x130)))
    await sent.confirmed
    await replica.reached(at(0x130))
    expect(await rowsOf(replica, 'task', 'id, title, more')).toEqual([
      { id: 't', title: 'mine', more: 'x' },
      { id: 'w', title: 'later', more: null },
    ])
  })

  test('MIG-R3 what is written to a table that waits to be loaded is sent once it is there, in the names of its version', async () => {
    const { server, replica, session } = await opened()
    changeTo(server, wider(), 0x130, { 'public.note': [row('n')], 'public.task': [row('t', { more: 'x' })] }, 0x110)
    const release = holdChunks(server)
    await askedToLoad(session)
    session.send(batch(at(0x100), at(0x120)))
    await statusThat(replica, ({ lsn }) => lsn === at(0x120))
    await replica.transaction((tx) => tx.query(`UPDATE task SET title = 'mine' WHERE id = 't'`))
    await replica.transaction((tx) => tx.query(`UPDATE note SET title = 'mine' WHERE id = 'n'`))
    // A drain that looked again and again would let no other work of this thread through.
    await statusThat(replica, ({ pending }) => pending === 2)
    expect(server.pushes).toEqual([])
    release()
    await statusThat(replica, ({ hydration }) => hydration === null)
    session.send(batch(at(0x120), at(0x130)))
    expect((await server.push(0)).mutations).toMatchObject([
      { version: 2, rows: [{ t: 'public.task', d: { title: 'mine' } }] },
      { version: 2, rows: [{ t: 'public.note', d: { title: 'mine' } }] },
    ])
  })

  test('FLD-25 HYD-R6 what is changed in place, and a table that leaves, cost no download', async () => {
    const { server, replica, session } = await opened()
    const loaded = server.requests.length
    const indexes = [{ name: 'note_title', statement: 'CREATE INDEX note_title ON public.note USING btree (title)' }]
    const withDefault = columns.map((one) => (one.name === 'title' ? { ...one, default: `'none'::text` } : one))
    changeTo(server, { types: [], tables: [{ ...note, columns: withDefault, indexes, priority: 1 }] }, 0x120, {
      'public.note': [row('n')],
    })
    expect((await askedToLoad(session)).from).toBe(at(0x100))
    session.send(batch(at(0x100), at(0x120), [{ lsn: at(0x110), xid: '11', changes: [insert('task', row('u'))] }]))
    await replica.reached(at(0x120))
    await replica.db.exec(`INSERT INTO note (id, org) VALUES ('o', 'a')`)
    expect(await rowsOf(replica, 'note', 'id, title')).toEqual([
      { id: 'n', title: 'title n' },
      { id: 'o', title: 'none' },
    ])
    expect(
      (await replica.db.query(`SELECT to_regclass('task') AS gone, to_regclass('note_title')::text AS made`)).rows,
    ).toEqual([{ gone: null, made: 'note_title' }])
    expect(server.requests.slice(loaded).filter((path) => path.split('/').length > 4)).toEqual([])
    expect(replica.status.rows).toBe(1)
  })

  test('FLD-26 APP-R5 with another history besides, what is shown stays shown until the load is whole', async () => {
    const { server, replica, session } = await opened()
    changeTo(server, wider(), 0x120, { 'public.note': [row('n')], 'public.task': [row('t', { more: 'x' })] })
    server.epoch = 'epoch-two'
    server.head = at(0x120)
    const release = holdChunks(server)
    session.send({ type: 'rehydrate', reason: 'epoch' })
    await statusThat(replica, ({ hydration }) => hydration !== null)
    await replica.db.exec(`UPDATE task SET title = 'mine' WHERE id = 't'`)
    expect(replica.status).toMatchObject({ ready: true, epoch: 'epoch-one' })
    release()
    await statusThat(replica, ({ epoch }) => epoch === 'epoch-two')
    expect(replica.status.ready).toBe(true)
    expect(await rowsOf(replica, 'task', 'id, title, more')).toEqual([{ id: 't', title: 'mine', more: 'x' }])
  })

  test('HYD-R6 a table is kept where its rows hold and it is the same table, whatever either says alone', () => {
    const held = { version: 1, definition: FIRST, behind: new Set<string>(), owed: new Map() }
    const renewed = (tables: TableDefinition[]) => {
      const later = { version: 3, hash: 'b', lsn: at(0x110), definition: { types: [], tables }, steps: [], names: [] }
      return [...planVersions(held, at(0), [later]).renewed]
    }
    expect(renewed([note, { ...task, since: 2 }])).toEqual(['public.task'])
    expect(renewed([note, { ...task, columns: [...columns, column('more')] }])).toEqual(['public.task'])
    const { since: _, ...undated } = task
    expect(renewed([note, undated])).toEqual(['public.task'])
    expect(renewed([task, { ...note, id: 'public.new', name: 'new' }])).toEqual(['public.new'])
  })
})

describe('what hangs on a table that is made anew', () => {
  test('FLD-27 APP-R17 live queries, views and indexes of the app are carried over', async () => {
    const { server, replica, session, warnings } = await opened()
    await replica.db.exec(`
      CREATE VIEW titles AS SELECT id, title FROM task;
      CREATE VIEW shouted AS SELECT upper(title) AS title FROM titles;
      CREATE INDEX my_titles ON task (title)`)
    const results: Record<string, unknown[]> = { query: [], changes: [], incremental: [], view: [] }
    const { live } = replica.db
    const all = await live.query('SELECT * FROM task ORDER BY id', [], ({ rows }) => results.query?.push(rows))
    const some = await live.query('SELECT title FROM shouted WHERE title <> $1', ['x'], ({ rows }) =>
      results.view?.push(rows),
    )
    const changes = await live.changes('SELECT * FROM task', [], 'id', (told) => results.changes?.push(...told))
    const incremental = await live.incrementalQuery('SELECT * FROM task', [], 'id', ({ rows }) =>
      results.incremental?.push(rows),
    )
    changeTo(server, wider(), 0x120, { 'public.note': [row('n')], 'public.task': [row('t', { more: 'x' })] })
    expect((await askedToLoad(session)).from).toBe(at(0x100))
    session.send(batch(at(0x100), at(0x120)))
    await replica.reached(at(0x120))
    session.send(
      batch(at(0x120), at(0x130), [{ lsn: at(0x130), xid: '13', changes: [insert('task', row('u', { more: 'y' }))] }]),
    )
    await replica.reached(at(0x130))
    for (const one of [all, some, changes, incremental]) await one.refresh()
    expect(results.query?.at(-1)).toEqual([row('t', { more: 'x' }), row('u', { more: 'y' })])
    expect(results.view?.at(-1)).toEqual([{ title: 'TITLE T' }, { title: 'TITLE U' }])
    expect(results.changes).toContainEqual(expect.objectContaining({ __op__: 'RESET' }))
    expect(results.changes?.at(-1)).toMatchObject({ id: 'u', more: 'y' })
    expect(results.incremental?.at(-1)).toHaveLength(2)
    await replica.db.exec(`UPDATE task SET title = 'mine' WHERE id = 't'`)
    await all.refresh()
    expect(results.query?.at(-1)).toMatchObject([{ title: 'mine' }, {}])
    expect((await replica.db.query(`SELECT to_regclass('my_titles')::text AS index`)).rows).toEqual([
      { index: 'my_titles' },
    ])
    expect(warnings).toEqual([])
    for (const one of [all, some, changes, incremental]) await one.unsubscribe()
  })

  test('FLD-28 APP-R17 what no longer fits ends by type and is told, and nothing else is', async () => {
    const { server, replica, session, warnings } = await opened()
    await replica.db.exec('CREATE VIEW titles AS SELECT id, title FROM task; CREATE VIEW ids AS SELECT id FROM task')
    const { live } = replica.db
    const lost = await live.query('SELECT title FROM task', [], () => undefined)
    const kept = await live.query<{ id: string }>('SELECT id FROM ids', [], () => undefined)
    const untitled = { ...task, columns: columns.filter(({ name }) => name !== 'title'), since: 2 }
    changeTo(server, { types: [], tables: [note, untitled] }, 0x120, { 'public.task': [{ id: 't', org: 'a' }] })
    expect((await askedToLoad(session)).from).toBe(at(0x100))
    session.send(batch(at(0x100), at(0x120)))
    await replica.reached(at(0x120))
    await kept.refresh()
    await expect(lost.refresh()).rejects.toMatchObject({ kind: 'schema-drift' })
    expect(() => lost.subscribe(() => undefined)).toThrow(/no longer fits/)
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringContaining('view titles'),
      expect.stringContaining('SELECT title FROM task'),
    ])
    await lost.unsubscribe()
    await kept.unsubscribe()
  })

  test('FLD-29 APP-R18 a live query opened before its tables are there waits for them; one that is wrong does not', async () => {
    const { server, url } = await serve(FIRST, { 'org:a': SNAPSHOT })
    const replica = await start(url)
    const query = replica.db.live.query('SELECT id FROM task', [])
    await replica.db.exec('CREATE TABLE draft (id int); INSERT INTO draft VALUES (1)')
    const draft = await replica.db.live.query('SELECT id FROM draft', [])
    expect(draft.initialResults.rows).toEqual([{ id: 1 }])
    const { initialResults, unsubscribe } = await query
    expect(replica.status.ready).toBe(true)
    expect(initialResults.rows).toEqual([{ id: 't' }])
    await expect(replica.db.live.query('SELECT id FROM tusk', [])).rejects.toThrow(/tusk/)
    await unsubscribe()
    await draft.unsubscribe()
    expect(server.sessions).toHaveLength(1)
  })
})
