import { describe, expect, test } from 'vitest'
import type { Definition, Row, TableDefinition, TableStep, TidemarkError } from '../../protocol/index.ts'
import { column, defineTable } from '../../testing/replica/definitions.ts'
import {
  at,
  batch,
  committedAs,
  type ScriptedServer,
  type ScriptedSession,
} from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'
import { readCopies } from '../store/copies.ts'

closeAfterEach()

const org = column('org', 'text', { notNull: true })
const task = defineTable('task', [column('id'), org, column('title'), column('state', 'public.state')], {
  write: 'all',
  since: 1,
  indexes: [{ name: 'task_title', statement: 'CREATE INDEX task_title ON public.task USING btree (title)' }],
})
const note = defineTable('note', [column('id'), org, column('text', 'character varying(5)')], {
  write: 'all',
  since: 1,
})
const stateOf = (...labels: string[]) => ({
  schema: 'public',
  name: 'state',
  statement: `CREATE TYPE "public"."state" AS ENUM (${labels.map((label) => `'${label}'`).join(', ')})`,
})
const FIRST: Definition = { types: [stateOf('open', 'done')], tables: [note, task] }

const carried = (...names: string[]) => names.map((name) => ({ name, from: name }))
const taskRow = (id: string, more: Row = {}): Row => ({ id, org: 'a', title: `title ${id}`, state: 'open', ...more })
const change = (o: 'i' | 'u', t: string, d: Row) =>
  o === 'i'
    ? { o, t: `public.${t}`, a: 'org:a', d: d as Record<string, string> }
    : { o, t: `public.${t}`, a: 'org:a', k: { id: d.id ?? '' }, d: d as Record<string, string> }

async function opened(definition: Definition = FIRST, rows: readonly Row[] = [taskRow('t')]) {
  const { server, url } = await serve(definition, {
    'org:a': {
      start: at(0x100),
      fence: at(0x100),
      snapshot: '10:10:',
      rows: { 'public.task': rows, 'public.note': [{ id: 'n', org: 'a', text: 'text' }] },
    },
  })
  const warnings: TidemarkError[] = []
  const replica = await start(url, { onWarning: (warning) => warnings.push(warning) })
  await replica.ready
  await statusThat(replica, ({ phase }) => phase === 'live')
  const session = await server.session(0)
  await session.frame('stream')
  const loaded = server.requests.length
  const downloads = () => server.requests.slice(loaded).filter((path) => path.startsWith('/sync/snapshot'))
  return { server, url, replica, warnings, session, downloads }
}

/** Tells that the definition changed, and waits until the replica goes on with the stream. */
async function announce(session: ScriptedSession): Promise<void> {
  const before = new Set<unknown>(session.received)
  session.send({ type: 'rehydrate', reason: 'definition' })
  await session.frame('stream', (frame) => !before.has(frame))
}

function putTask(server: ScriptedServer, position: number, table: TableDefinition, step: Partial<TableStep>): void {
  const types = server.definition.types
  const others = server.definition.tables.filter(({ name }) => name === 'note')
  const whole = { table: table.id, from: 'public.task', columns: [], ...step }
  server.putInForce({ types, tables: [...others, table] }, at(position), [whole])
}

/** The task table of version 2: one column more, which old rows have a value in. */
const withRank = {
  ...task,
  columns: [...task.columns, column('rank', 'integer', { notNull: true, default: '9' })],
  since: 2,
}
const rankStep = { columns: [...carried('id', 'org', 'title', 'state'), { name: 'rank', from: null, value: '7' }] }

describe('a version that a replica makes itself', () => {
  test('MIG-01 MIG-R1 MIG-R2 a column added amid data is there from its commit on, and nothing is downloaded', async () => {
    const { server, replica, session, downloads } = await opened()
    const seen: unknown[] = []
    const live = await replica.db.live.query('SELECT * FROM task ORDER BY id', [], ({ rows }) => seen.push(rows))
    putTask(server, 0x120, withRank, rankStep)
    await announce(session)
    session.send(
      batch(at(0x100), at(0x130), [
        { lsn: at(0x110), xid: '11', changes: [change('i', 'task', taskRow('u'))] },
        { lsn: at(0x120), xid: '12', changes: [change('u', 'note', { id: 'n', text: 'new' })] },
        { lsn: at(0x130), xid: '13', changes: [change('i', 'task', taskRow('v', { rank: '3' }))] },
      ]),
    )
    await replica.reached(at(0x130))
    const rows = [
      taskRow('t', { rank: 7 as never }),
      taskRow('u', { rank: 7 as never }),
      taskRow('v', { rank: 3 as never }),
    ]
    expect(await rowsOf(replica, 'task', '*')).toEqual(rows)
    expect(await rowsOf(replica, 'note', 'text')).toEqual([{ text: 'new' }])
    await live.refresh()
    expect(seen.at(-1)).toEqual(rows)
    await replica.db.exec(`INSERT INTO task (id, org) VALUES ('w', 'a')`)
    expect((await replica.db.query(`SELECT rank FROM task WHERE id = 'w'`)).rows).toEqual([{ rank: 9 }])
    expect(downloads()).toEqual([])
    session.cut()
    const { hello } = await server.session(1)
    expect(hello).toMatchObject({ definitionVersion: 2, definitionHash: 'hash of 2' })
    await live.unsubscribe()
  })

  test('MIG-02 MIG-R3 MIG-R4 pending work goes over renames and drops: redone in the new names, or failed with its data', async () => {
    const { server, replica, session, downloads } = await opened(FIRST, [taskRow('t'), taskRow('u')])
    replica.goOffline()
    await session.closed()
    await replica.transaction((tx) => tx.query(`UPDATE task SET title = 'mine', state = 'done' WHERE id = 't'`))
    const lost = await replica.transaction((tx) => tx.query(`UPDATE task SET state = 'done' WHERE id = 'u'`))
    await replica.transaction((tx) => tx.query(`INSERT INTO task VALUES ('w', 'a', 'made', 'open')`))
    const failed = lost.confirmed.catch((error: unknown) => error)
    const issue = {
      ...task,
      id: 'public.issue',
      name: 'issue',
      columns: [column('key'), org, column('name')],
      primaryKey: ['key'],
      indexes: [{ name: 'issue_name', statement: 'CREATE INDEX issue_name ON public.issue USING btree (name)' }],
      since: 2,
    }
    putTask(server, 0x120, issue, {
      columns: [
        { name: 'key', from: 'id' },
        { name: 'org', from: 'org' },
        { name: 'name', from: 'title' },
      ],
    })
    server.head = at(0x130)
    replica.goOnline()
    const next = await server.session(1)
    await next.frame('stream')
    next.send(
      batch(at(0x100), at(0x130), [
        {
          lsn: at(0x130),
          xid: '13',
          changes: [{ o: 'u', t: 'public.issue', a: 'org:a', k: { key: 'u' }, d: { name: 'theirs' } }],
        },
      ]),
    )
    await replica.reached(at(0x130))
    expect((await replica.db.query('SELECT key, name FROM issue ORDER BY key')).rows).toEqual([
      { key: 't', name: 'mine' },
      { key: 'u', name: 'theirs' },
      { key: 'w', name: 'made' },
    ])
    expect(
      (await replica.db.query(`SELECT to_regclass('task') AS task, to_regclass('issue_name')::text AS index`)).rows,
    ).toEqual([{ task: null, index: 'issue_name' }])
    expect(await failed).toMatchObject({ rejection: { kind: 'outdated-schema' } })
    expect(replica.failures).toMatchObject([
      { id: lost.id, rows: [{ table: 'public.issue', local: { state: 'done' } }] },
    ])
    const { mutations } = await server.push(0)
    expect(mutations).toMatchObject([
      { rows: [{ o: 'u', t: 'public.issue', k: { key: 't' }, d: { name: 'mine' }, b: { name: { v: 'title t' } } }] },
      { rows: [{ o: 'i', t: 'public.issue', k: { key: 'w' }, d: { key: 'w', org: 'a', name: 'made' } }] },
    ])
    expect(downloads()).toEqual([])
  })

  test('MIG-02 MIG-R4 what was sent before all that it changed was dropped, and is rejected for that, keeps its data', async () => {
    const { server, replica, session } = await opened()
    // The first answer is lost, so that nobody here knows whether it was done.
    let answers = 0
    const rejection = { kind: 'outdated-schema', message: 'Its columns are gone.' } as const
    server.answerPush = ({ mutations }) => {
      answers += 1
      if (answers === 1) return null
      return { outcomes: mutations.map(({ counter }) => ({ counter, status: 'rejected', rejection })), retry: null }
    }
    const lost = await replica.transaction((tx) => tx.query(`UPDATE task SET state = 'done' WHERE id = 't'`))
    const failed = lost.confirmed.catch((error: unknown) => error)
    await server.push(0)
    putTask(
      server,
      0x120,
      { ...task, columns: task.columns.filter(({ name }) => name !== 'state'), since: 2 },
      {
        columns: carried('id', 'org', 'title'),
      },
    )
    await announce(session)
    session.send(batch(at(0x100), at(0x120)))
    await replica.reached(at(0x120))
    expect(await failed).toMatchObject({ rejection })
    await expect
      .poll(() => replica.failures)
      .toMatchObject([
        {
          id: lost.id,
          rejection,
          rows: [{ table: 'public.task', op: 'update', key: { id: 't' }, local: { state: 'done' } }],
        },
      ])
  })

  test('MIG-02 MIG-R24 pending work on a table that leaves fails with its data, and what else it wrote is taken back', async () => {
    const { server, replica, session, downloads } = await opened()
    replica.goOffline()
    await session.closed()
    server.answerPush = () => 503
    const write = async (...statements: string[]) => {
      const { id, confirmed } = await replica.transaction(async (tx) => {
        for (const statement of statements) await tx.query(statement)
      })
      confirmed.catch(() => undefined)
      return id
    }
    const alone = await write(`UPDATE note SET text = 'lost' WHERE id = 'n'`)
    const both = await write(
      `UPDATE task SET title = 'both' WHERE id = 't'`,
      `INSERT INTO note (id, org, text) VALUES ('m', 'a', 'new')`,
    )
    const other = await write(`UPDATE task SET state = 'done' WHERE id = 't'`)
    server.putInForce({ types: FIRST.types, tables: [task] }, at(0x110), [])
    server.head = at(0x120)
    replica.goOnline()
    const next = await server.session(1)
    await next.frame('stream')
    next.send(
      batch(at(0x100), at(0x120), [{ lsn: at(0x118), xid: '11', changes: [change('i', 'task', taskRow('b'))] }]),
    )
    await replica.reached(at(0x120))
    expect(await rowsOf(replica, 'task', 'id, title, state')).toEqual([
      { id: 'b', title: 'title b', state: 'open' },
      { id: 't', title: 'title t', state: 'done' },
    ])
    await statusThat(replica, ({ failed }) => failed === 2)
    const rejection = { kind: 'outdated-schema' }
    expect(replica.failures).toMatchObject([
      { id: alone, rejection, rows: [{ table: 'public.note', local: { text: 'lost' } }] },
      { id: both, rejection, rows: [{ local: { title: 'both' } }, { local: { id: 'm', org: 'a', text: 'new' } }] },
    ])
    expect(await replica.mutation(other ?? '')).toMatchObject({ status: expect.stringMatching(/pending|sent/) })
    expect(downloads()).toEqual([])
  })

  test('MIG-R4 what was done under names that are gone is not taken back', async () => {
    const { server, replica, session } = await opened()
    const done = await replica.transaction((tx) => tx.query(`UPDATE task SET title = 'mine' WHERE id = 't'`))
    const [mutation] = (await server.push(0)).mutations
    if (mutation) session.send(batch(at(0x100), at(0x110), [committedAs(at(0x110), mutation)]))
    await done.confirmed
    await statusThat(replica, ({ canUndo }) => canUndo)
    const columns = [column('id'), org, column('name'), column('state', 'public.state')]
    putTask(
      server,
      0x120,
      { ...task, columns, indexes: [], since: 2 },
      {
        columns: [...carried('id', 'org'), { name: 'name', from: 'title' }, { name: 'state', from: 'state' }],
      },
    )
    await announce(session)
    session.send(batch(at(0x110), at(0x120)))
    await replica.reached(at(0x120))
    expect(await replica.undo()).toBeNull()
    expect(await rowsOf(replica, 'task', 'id, name')).toEqual([{ id: 't', name: 'mine' }])
    await replica.transaction((tx) => tx.query(`UPDATE task SET name = 'new' WHERE id = 't'`))
    await replica.undo()
    expect(await rowsOf(replica, 'task', 'id, name')).toEqual([{ id: 't', name: 'mine' }])
  })

  test('MIG-R2 names that are exchanged, a wider type and new labels cost nothing either', async () => {
    const { server, replica, session, downloads } = await opened()
    await replica.db.exec(
      'CREATE VIEW titles AS SELECT id, title FROM task; CREATE VIEW texts AS SELECT text FROM note',
    )
    const swapped = {
      ...task,
      columns: [
        column('id'),
        column('title', 'text', { notNull: true }),
        column('org'),
        column('state', 'public.state'),
      ],
      audience: { column: 'title', prefix: 'org' },
      since: 2,
    }
    const wide = { ...note, columns: [column('id'), org, column('text')], since: 2 }
    server.putInForce({ types: [stateOf('new', 'open', 'held', 'done', 'gone')], tables: [wide, swapped] }, at(0x120), [
      {
        table: task.id,
        from: task.id,
        columns: [
          { name: 'id', from: 'id' },
          { name: 'title', from: 'org' },
          { name: 'org', from: 'title' },
          { name: 'state', from: 'state' },
        ],
      },
      { table: note.id, from: note.id, columns: carried('id', 'org', 'text') },
    ])
    await announce(session)
    session.send(
      batch(at(0x100), at(0x130), [
        {
          lsn: at(0x130),
          xid: '13',
          changes: [
            change('i', 'task', { id: 'u', title: 'a', org: 'x', state: 'held' }),
            change('i', 'note', { id: 'm', org: 'a', text: 'longer than five' }),
          ],
        },
      ]),
    )
    await replica.reached(at(0x130))
    expect(await rowsOf(replica, 'task', '*')).toEqual([
      { id: 't', title: 'a', org: 'title t', state: 'open' },
      { id: 'u', title: 'a', org: 'x', state: 'held' },
    ])
    const labels = `SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) AS labels FROM pg_enum`
    expect((await replica.db.query(labels)).rows).toEqual([{ labels: 'new open held done gone' }])
    expect((await replica.db.query('SELECT * FROM titles ORDER BY id')).rows).toEqual([
      { id: 't', title: 'title t' },
      { id: 'u', title: 'x' },
    ])
    expect((await replica.db.query('SELECT text FROM texts ORDER BY text')).rows).toHaveLength(2)
    expect(downloads()).toEqual([])
  })

  test('MIG-R2 a type that joins with a column is made before it, and one that goes leaves its name', async () => {
    const { server, replica, session, warnings, downloads } = await opened()
    const kind = (...labels: string[]) => ({
      schema: 'app',
      name: 'kind',
      statement: `CREATE TYPE "app"."kind" AS ENUM (${labels.map((label) => `'${label}'`).join(', ')})`,
    })
    const names = ['id', 'org', 'title', 'state']
    const withKind = (since: number) => ({ ...task, columns: [...task.columns, column('kind', 'app.kind')], since })
    const joins = (value: string) => [
      { table: task.id, from: task.id, columns: [...carried(...names), { name: 'kind', from: null, value }] },
    ]
    const { types } = FIRST
    server.putInForce({ types: [kind('bug'), ...types], tables: [note, withKind(2)] }, at(0x120), joins('bug'))
    server.putInForce({ types, tables: [note, { ...task, since: 3 }] }, at(0x130), [
      { table: task.id, from: task.id, columns: carried(...names) },
    ])
    server.putInForce({ types: [kind('idea'), ...types], tables: [note, withKind(4)] }, at(0x140), joins('idea'))
    await announce(session)
    session.send(batch(at(0x100), at(0x150)))
    await replica.reached(at(0x150))
    expect(await rowsOf(replica, 'task', '*')).toEqual([taskRow('t', { kind: 'idea' })])
    expect([warnings, downloads()]).toEqual([[], []])
  })

  test('MIG-11 MIG-R1 MIG-R3 three versions behind, with ten edits, it takes them in order, each at its place, and what cannot be said fails with its data', async () => {
    const { server, replica, session, downloads } = await opened()
    replica.goOffline()
    await session.closed()
    const edit = await replica.transaction((tx) => tx.query(`UPDATE task SET title = 'offline' WHERE id = 't'`))
    edit.confirmed.catch(() => undefined)
    const lost = await replica.transaction((tx) => tx.query(`UPDATE task SET state = 'done' WHERE id = 't'`))
    lost.confirmed.catch(() => undefined)
    const made = ['1', '2', '3', '4', '5', '6', '7', '8'].map((number) => `w${number}`)
    for (const id of made) {
      const { confirmed } = await replica.transaction((tx) =>
        tx.query(`INSERT INTO task (id, org) VALUES ($1, 'a')`, [id]),
      )
      confirmed.catch(() => undefined)
    }
    server.answerPush = () => 503
    putTask(server, 0x110, withRank, rankStep)
    const renamed = {
      ...withRank,
      columns: [
        ...task.columns.filter(({ name }) => name !== 'state'),
        column('place', 'integer', { notNull: true, default: '9' }),
      ],
      since: 3,
    }
    putTask(server, 0x120, renamed, {
      columns: [...carried('id', 'org', 'title'), { name: 'place', from: 'rank' }],
    })
    const label = defineTable('label', [column('id'), org], { since: 4 })
    server.putInForce({ types: FIRST.types, tables: [note, label, renamed] }, at(0x130), [
      { table: label.id, from: null, columns: [] },
    ])
    server.head = at(0x140)
    replica.goOnline()
    const next = await server.session(1)
    await next.frame('stream')
    next.send(
      batch(at(0x100), at(0x140), [
        { lsn: at(0x105), xid: '10', changes: [change('i', 'task', taskRow('a'))] },
        { lsn: at(0x118), xid: '11', changes: [change('i', 'task', taskRow('b', { rank: '1' }))] },
        { lsn: at(0x128), xid: '12', changes: [change('u', 'task', { id: 'a', place: '2' })] },
        { lsn: at(0x138), xid: '13', changes: [change('i', 'label', { id: 'l', org: 'a' })] },
      ]),
    )
    await replica.reached(at(0x140))
    expect(await rowsOf(replica, 'task', 'id, title, place')).toEqual([
      { id: 'a', title: 'title a', place: 2 },
      { id: 'b', title: 'title b', place: 1 },
      { id: 't', title: 'offline', place: 7 },
      ...made.map((id) => ({ id, title: null, place: 9 })),
    ])
    expect(replica.status).toMatchObject({ pending: 9, failed: 1 })
    const rejection = { kind: 'outdated-schema', message: expect.stringContaining('dropped') }
    expect(replica.failures).toMatchObject([{ id: lost.id, rejection, rows: [{ local: { state: 'done' } }] }])
    expect(await rowsOf(replica, 'label', 'id')).toEqual([{ id: 'l' }])
    expect(downloads()).toEqual([])
  })

  test('MIG-R20 a version that only gives tables columns is one call; of the definition it writes those tables alone, and with work in progress it takes the longer way', async () => {
    const { server, replica, session, downloads } = await opened()
    const stored = async () => {
      const { rows } = await replica.db.query<{ base: boolean; changed: number }>(
        `SELECT strpos(definition, '"rank"') > 0 AS base, length(changed) AS changed FROM tidemark.copy`,
      )
      const [copy] = await readCopies(replica.db)
      return { ...rows[0], columns: copy?.definition.definition.tables.at(-1)?.columns.map(({ name }) => name) }
    }
    putTask(server, 0x110, withRank, rankStep)
    await announce(session)
    session.send(batch(at(0x100), at(0x110)))
    await replica.reached(at(0x110))
    const names = withRank.columns.map(({ name }) => name)
    const line = JSON.stringify(server.definition.tables.at(-1)).length
    expect(await stored()).toEqual({ base: false, changed: line + 1, columns: names })
    expect(await rowsOf(replica, 'task', 'rank')).toEqual([{ rank: 7 }])
    // The new column is captured.
    const handle = await replica.transaction((tx) => tx.query(`UPDATE task SET rank = 8 WHERE id = 't'`))
    handle.confirmed.catch(() => undefined)
    const { mutations } = await server.push(0)
    expect(mutations).toMatchObject([{ version: 2, rows: [{ d: { rank: '8' }, b: { rank: { v: '7' } } }] }])
    const wider = { ...withRank, columns: [...withRank.columns, column('size')], since: 3 }
    putTask(server, 0x120, wider, { columns: [...carried(...names), { name: 'size', from: null }] })
    server.head = at(0x120)
    await announce(session)
    session.send(batch(at(0x110), at(0x120)))
    await statusThat(replica, ({ lsn }) => lsn === at(0x120))
    expect(await stored()).toEqual({ base: true, changed: 0, columns: [...names, 'size'] })
    expect(await rowsOf(replica, 'task', 'rank, size')).toEqual([{ rank: 8, size: null }])
    expect(downloads()).toEqual([])
  })

  test('MIG-10 MIG-R5 MIG-R6 MIG-R8 a step that the local database cannot take is told, tried once, and costs a load of its tables', async () => {
    const { server, replica, session, downloads, warnings } = await opened()
    const bad = { ...withRank, columns: [...task.columns, column('rank', 'integer', { notNull: true })] }
    putTask(server, 0x120, bad, { columns: rankStep.columns.map(({ name, from }) => ({ name, from })) })
    server.snapshots.set('org:a', {
      start: at(0x130),
      fence: at(0x130),
      snapshot: '20:20:',
      rows: { 'public.task': [taskRow('t', { rank: '5' })], 'public.note': [] },
    })
    server.head = at(0x130)
    await announce(session)
    session.send(batch(at(0x100), at(0x130)))
    const again = await server.session(1)
    expect(again.hello).toMatchObject({ definitionVersion: 2, cursor: at(0x120) })
    expect(again.hello.definitionHash).not.toBe('hash of 2')
    await again.frame('stream')
    const told = { version: 2, fault: expect.stringContaining('Version 2') }
    expect(await again.frame('schema')).toMatchObject({ ...told, waiting: 1, retries: 0 })
    const failed = { version: 2, error: told.fault, retries: 0 }
    expect(replica.status.migrations).toEqual({ ...told, pending: [2], applied: [], waiting: ['public.task'], failed })
    again.send(batch(at(0x120), at(0x130)))
    await replica.reached(at(0x130))
    expect(await rowsOf(replica, 'task', 'id, rank')).toEqual([{ id: 't', rank: 5 }])
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('Version 2')])
    expect(replica.status.migrations).toEqual({ ...told, pending: [], applied: [2], waiting: [], failed: null })
    expect(downloads().filter((path) => path.split('/').length > 4)).toHaveLength(1)
  })

  test('MIG-R23 MIG-R5 a table that is otherwise after its step than one made anew is loaded; a missing index is made in place', async () => {
    const { server, replica, session, downloads, warnings } = await opened()
    const alterByHand = (statement: string) =>
      replica.db.transaction((tx) => tx.exec(`SET LOCAL session_replication_role = replica; ${statement}`))
    await alterByHand('ALTER TABLE task ALTER title TYPE varchar(80)')
    const renamed = (since: number, from: string, to: string) => {
      const columns = task.columns.map((one) => (one.name === 'state' ? { ...one, name: to } : one))
      const names = ['id', 'org', 'title'].map((name) => ({ name, from: name }))
      putTask(server, since * 0x10 + 0x100, { ...task, columns, since }, { columns: [...names, { name: to, from }] })
    }
    renamed(2, 'state', 'status')
    server.snapshots.set('org:a', {
      start: at(0x130),
      fence: at(0x130),
      snapshot: '20:20:',
      rows: { 'public.task': [{ id: 't', org: 'a', title: 'x'.repeat(99), status: 'open' }], 'public.note': [] },
    })
    server.head = at(0x130)
    await announce(session)
    session.send(batch(at(0x100), at(0x130)))
    const again = await server.session(1)
    await again.frame('stream')
    expect(await again.frame('schema')).toMatchObject({ fault: expect.stringContaining('"public"."task"'), waiting: 1 })
    again.send(batch(at(0x120), at(0x130)))
    await replica.reached(at(0x130))
    expect(await rowsOf(replica, 'task', 'length(title) AS length, status')).toEqual([{ length: 99, status: 'open' }])
    expect(warnings).toHaveLength(1)
    expect(downloads().filter((path) => path.split('/').length > 4)).toHaveLength(1)
    const more = downloads().length
    await alterByHand('DROP INDEX task_title')
    renamed(4, 'status', 'place')
    await announce(again)
    again.send(batch(at(0x130), at(0x150)))
    await replica.reached(at(0x150))
    expect(await rowsOf(replica, 'task', 'place')).toEqual([{ place: 'open' }])
    expect([warnings.length, downloads().length]).toEqual([1, more])
    const { rows } = await replica.db.query(
      `SELECT count(*)::int AS count FROM pg_indexes WHERE indexname = 'task_title'`,
    )
    expect(rows).toEqual([{ count: 1 }])
  })
})
