import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Definition, Lsn, Row, WireChange } from '../../protocol/index.ts'
import { column, defineTable, NOTES } from '../../testing/replica/definitions.ts'
import { at, batch, type ScriptedSession, type SnapshotScript } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, type Served, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, statusThat } from '../../testing/replica/start-replica.ts'
import type { Replica } from '../replica-api.ts'

closeAfterEach()

const t = 'public.note'
const a = 'org:a'
const note = (id: string, title: string | null = `title ${id}`, rank: string | null = '1') => ({
  id,
  org: 'a',
  title,
  rank,
})
const insert = (row: Row): WireChange => ({ o: 'i', t, a, d: row })
const update = (id: string, row: Row): WireChange => ({ o: 'u', t, a, k: { id }, d: row })
const remove = (id: string): WireChange => ({ o: 'd', t, a, k: { id } })

const snapshot = (rows: readonly Row[], table = t): SnapshotScript => ({
  start: at(0x100),
  fence: at(0x100),
  snapshot: '10:10:',
  rows: { [table]: rows },
})

interface Running extends Served {
  readonly replica: Replica
  readonly session: ScriptedSession
  /** Sends changes as one transaction and waits until they are acknowledged. */
  commit(...changes: WireChange[]): Promise<void>
}

async function running(rows: readonly Row[], definition: Definition = NOTES, table = t): Promise<Running> {
  const served = await serve(definition, { [a]: snapshot(rows, table) })
  const replica = await start(served.url)
  await replica.ready
  const session = await served.server.session(0)
  await session.frame('stream')
  let position = 0x100
  const commit = async (...changes: WireChange[]) => {
    const from = at(position)
    position += 0x10
    session.send(batch(from, at(position), [{ lsn: at(position), xid: String(position), changes }]))
    await session.acknowledged()
  }
  return { ...served, replica, session, commit }
}

describe('apply', () => {
  test('APP-01 FLT-09 APP-R1 killed at any moment, rows and cursor are both there or neither', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tidemark-'))
    const storage = join(directory, 'replica')
    try {
      const { server, url } = await serve(NOTES, { [a]: snapshot([]) })
      const script = fileURLToPath(new URL('../../testing/replica/apply-until-killed.ts', import.meta.url))
      let sessions = 0
      for (const kills of [3, 7, 12]) {
        const child = spawn(process.execPath, [script, url, storage], { stdio: ['ignore', 'ignore', 'inherit'] })
        const session = await server.session(sessions++)
        const from = session.hello.cursor ?? (await session.frame('stream')).from
        let position = Number.parseInt(from, 16)
        for (let sent = 0; sent < 40; sent++) {
          const lsn = at(position + 1)
          const rows = Array.from({ length: 50 }, (_, row) => insert(note(`${lsn}-${row}`, null)))
          session.send(batch(at(position), lsn, [{ lsn, xid: '1', changes: rows }]))
          position += 1
        }
        const exited = new Promise((resolve) => child.on('exit', resolve))
        await session.frame(
          'ack',
          ({ cursor }) => cursor !== null && Number.parseInt(cursor, 16) >= Number.parseInt(from, 16) + kills,
        )
        child.kill('SIGKILL')
        await exited
        await session.closed()
      }
      const replica = await start(url, { storage })
      const cursor = replica.status.lsn ?? at(0)
      const { rows } = await replica.db.query<{ n: number; most: string }>(
        'SELECT count(*)::int AS n, max(left(id, 16)) AS most FROM note',
      )
      expect(rows[0]?.n).toBe(50 * (Number.parseInt(cursor, 16) - 0x100))
      expect(rows[0]?.most).toBe(cursor)
      expect(replica.status.rebuilt).toBeNull()
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  test('APP-02 a live query sees a transaction of 1,000 rows as one change', async () => {
    const { replica, commit } = await running([note('0')])
    const seen: unknown[] = []
    const live = await replica.db.live.query<{ n: number }>('SELECT count(*)::int AS n FROM note', [], ({ rows }) =>
      seen.push(rows[0]?.n),
    )
    await commit(...Array.from({ length: 1000 }, (_, index) => insert(note(`n${index}`))))
    await live.refresh()
    expect(new Set(seen)).toEqual(new Set([1, 1001]))
    await live.unsubscribe()
  })

  const contradictions: readonly (readonly [string, ...WireChange[]])[] = [
    ['an update of a missing row', update('missing', { rank: '2' })],
    ['a delete of a missing row', remove('missing')],
    ['an insert of a present row', insert(note('1'))],
    ['an insert of a present row, deleted in one go,', insert(note('1')), remove('1')],
  ]
  for (const [name, ...changes] of contradictions) {
    test(`APP-03 APP-R6 ${name} is a fault: nothing of it is kept and the replica loads anew`, async () => {
      const { server, replica, session } = await running([note('1')])
      await replica.db.exec(`CREATE TABLE draft (body text); INSERT INTO draft VALUES ('mine')`)
      server.snapshots.set(a, {
        start: at(0x110),
        fence: at(0x110),
        snapshot: '20:20:',
        rows: { [t]: [note('1', 'as it is'), note('2')] },
      })
      server.head = at(0x110)
      session.send(
        batch(at(0x100), at(0x110), [{ lsn: at(0x110), xid: '11', changes: [insert(note('never')), ...changes] }]),
      )
      const fault = await statusThat(replica, ({ error }) => error !== null)
      expect(fault.error?.kind).toBe('rehydrate-required')
      expect(fault.ready).toBe(false)
      expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: '1' }])
      expect((await server.session(1)).hello).toMatchObject({ epoch: null, cursor: null, audiences: [] })
      await statusThat(replica, ({ phase }) => phase === 'live')
      expect(replica.status).toMatchObject({ ready: true, error: null, rows: 2 })
      expect(await rowsOf(replica, 'note', 'id, title')).toEqual([
        { id: '1', title: 'as it is' },
        { id: '2', title: 'title 2' },
      ])
      // APP-10: what is only local stays.
      expect(await rowsOf(replica, 'draft')).toEqual([{ body: 'mine' }])
    })
  }

  test('APP-04 an update to NULL, to a default and to empty lands exactly', async () => {
    const { replica, commit } = await running([note('1'), note('2'), note('3')])
    await commit(update('1', { title: null, rank: null }), update('2', { title: '' }), update('3', { rank: '0' }))
    expect(await rowsOf(replica, 'note', 'id, title, rank')).toEqual([
      { id: '1', title: null, rank: null },
      { id: '2', title: '', rank: 1 },
      { id: '3', title: 'title 3', rank: 0 },
    ])
  })

  test('APP-05 keys and unique values swapped in one transaction', async () => {
    const { replica, commit } = await running([note('1', 'one'), note('2', 'two'), note('3', 'three')])
    await commit(
      update('1', { title: 'temporary' }),
      update('2', { title: 'one' }),
      update('1', { title: 'two', rank: '9' }),
      remove('3'),
      insert(note('4', 'three')),
    )
    await commit(remove('1'), remove('2'), insert(note('2', 'two')), insert(note('1', 'one')))
    expect(await rowsOf(replica, 'note', 'id, title')).toEqual([
      { id: '1', title: 'one' },
      { id: '2', title: 'two' },
      { id: '4', title: 'three' },
    ])
  })

  test('APP-05 values of a unique constraint that a foreign key needs are swapped too', async () => {
    const definition: Definition = {
      types: [],
      tables: [
        defineTable('note', [column('id'), column('org'), column('title'), column('rank', 'integer')], {
          uniques: [{ name: 'note_title_key', columns: ['title'], deferrable: false }],
        }),
      ],
    }
    const { replica, commit } = await running([note('1', 'one'), note('2', 'two'), note('3', 'three')], definition)
    await commit(
      update('1', { title: 'temporary' }),
      update('2', { title: 'one' }),
      update('1', { title: 'two', rank: '7' }),
      update('3', { rank: '5' }),
    )
    expect(await rowsOf(replica, 'note', 'id, title, rank')).toEqual([
      { id: '1', title: 'two', rank: 7 },
      { id: '2', title: 'one', rank: 1 },
      { id: '3', title: 'three', rank: 5 },
    ])
    expect(replica.status).toMatchObject({ rows: 3, error: null })
  })

  test('APP-06 FLT-10 APP-R7 frames that come in mid-apply wait their turn; what comes twice is ignored', async () => {
    const { server, replica, session } = await running([note('1', null, '0')])
    const frames = Array.from({ length: 60 }, (_, index) =>
      batch(at(0x100 + index), at(0x101 + index), [
        {
          lsn: at(0x101 + index),
          xid: '1',
          changes: [update('1', { rank: String(index + 1) }), insert(note(`n${index}`, null))],
        },
      ]),
    )
    for (const frame of frames) session.send(frame, frame)
    await replica.reached(at(0x100 + 60))
    await session.acknowledged()
    expect(replica.status).toMatchObject({ error: null, rows: 61 })
    expect((await rowsOf(replica, 'note', 'id, rank'))[0]).toEqual({ id: '1', rank: 60 })
    expect(server.sessions).toHaveLength(1)
    const last = session.received.filter(({ type }) => type === 'ack').at(-1)
    expect(last).toEqual({ type: 'ack', received: session.sentCharacters, cursor: at(0x100 + 60) })
  })

  test('APP-R22 small transactions move rows and cursor together, beside work that is unsettled too', async () => {
    const { replica, commit } = await running([note('1'), note('2')])
    const stored = async () => (await replica.db.query('SELECT cursor, rows FROM tidemark.replica')).rows[0]
    await commit(insert(note('3', 'it\'s "\\ 🌊')))
    expect(await stored()).toEqual({ cursor: replica.status.lsn, rows: 3 })
    await commit(update('1', { rank: '7' }))
    await commit(remove('2'))
    expect(await stored()).toEqual({ cursor: replica.status.lsn, rows: 2 })
    // Work that is unsettled makes the apply go the longer way, to the same end.
    await replica.db.exec(`INSERT INTO tidemark.mutation (counter, kind, at, status, sealed, patch, effective)
      VALUES (1, 'patch', '2026-01-01T00:00:00Z', 'pending', true, '[]', false)`)
    await commit(update('1', { rank: '8' }))
    expect(await stored()).toEqual({ cursor: replica.status.lsn, rows: 2 })
    expect(await rowsOf(replica, 'note', 'id, title, rank')).toEqual([
      { id: '1', title: 'title 1', rank: 8 },
      { id: '3', title: 'it\'s "\\ 🌊', rank: 1 },
    ])
    expect(replica.status).toMatchObject({ error: null })
  })

  test('DIS-R20 a replica acknowledges a quarter of the window at once, and no frame by itself', async () => {
    const served = await serve(NOTES, { [a]: snapshot([]) })
    const windowBytes = 40_000
    served.server.welcome = () => ({ windowBytes })
    const replica = await start(served.url)
    await replica.ready
    const session = await served.server.session(0)
    await session.frame('stream')
    const acknowledged = () => session.received.flatMap((frame) => (frame.type === 'ack' ? [frame.received] : []))
    const [atFirst = 0] = acknowledged()
    for (let sent = 0; sent < 60; sent++) {
      const lsn = at(0x101 + sent)
      session.send(
        batch(at(0x100 + sent), lsn, [{ lsn, xid: '1', changes: [insert(note(`n${sent}`, 'x'.repeat(800)))] }]),
      )
      await replica.reached(lsn)
      // What it received of this is on its way at once, so that the window never closes on one that keeps up.
      const due = (acknowledged().at(-1) ?? 0) + windowBytes / 4
      if (session.sentCharacters >= due) await session.acknowledged()
    }
    const steps = acknowledged().map((received, index, all) => received - (all[index - 1] ?? atFirst))
    expect(steps.slice(1).every((step) => step >= windowBytes / 4)).toBe(true)
    expect(acknowledged().length).toBeLessThan(8)
  })

  test('APP-08 APP-10 TRUNCATE empties the table, live queries see it, local tables do not', async () => {
    const { replica, commit } = await running([note('1'), note('2')])
    await replica.db.exec(
      `CREATE TABLE draft (note text REFERENCES note, body text); INSERT INTO draft VALUES ('1', 'mine')`,
    )
    const seen: unknown[] = []
    const live = await replica.db.live.query<{ n: number }>('SELECT count(*)::int AS n FROM note', [], ({ rows }) =>
      seen.push(rows[0]?.n),
    )
    await commit(insert(note('3')), { o: 't', t }, insert(note('4')))
    await live.refresh()
    expect(seen.at(-1)).toBe(1)
    expect(await rowsOf(replica, 'note', 'id')).toEqual([{ id: '4' }])
    expect(await rowsOf(replica, 'draft', 'body')).toEqual([{ body: 'mine' }])
    expect(replica.status.rows).toBe(1)
    await live.unsubscribe()
  })

  test('APP-R8 a transaction in parts and fragments is applied whole or not at all, and its pieces are acknowledged', async () => {
    const { server, replica, session } = await running([note('1')])
    const lsn: Lsn = at(0x200)
    const piece = { from: at(0x100), lsn, head: lsn, xid: '30', at: '2026-11-20T00:00:00Z' }
    const long = JSON.stringify(insert(note('long', 'x'.repeat(100_000))))
    session.send({
      type: 'part',
      ...piece,
      index: 0,
      last: false,
      changes: [insert(note('2')), update('1', { rank: '5' })],
    })
    session.send({ type: 'fragment', from: piece.from, lsn, index: 1, piece: 0, text: long.slice(0, 60_000) })
    await session.acknowledged()
    expect(await rowsOf(replica, 'note', 'id, rank')).toEqual([{ id: '1', rank: 1 }])
    session.cut()
    const again = await server.session(1)
    expect(again.hello.cursor).toBe(at(0x100))
    again.send({
      type: 'part',
      ...piece,
      index: 0,
      last: false,
      changes: [insert(note('2')), update('1', { rank: '5' })],
    })
    again.send({ type: 'fragment', from: piece.from, lsn, index: 1, piece: 0, text: long.slice(0, 60_000) })
    again.send({ type: 'fragment', from: piece.from, lsn, index: 1, piece: 1, text: long.slice(60_000) })
    again.send({ type: 'part', ...piece, index: 2, last: true, changes: [remove('2'), update('1', { rank: '6' })] })
    await again.acknowledged()
    expect(await rowsOf(replica, 'note', 'id, length(title) AS length, rank')).toEqual([
      { id: '1', length: 7, rank: 6 },
      { id: 'long', length: 100_000, rank: 1 },
    ])
    expect(replica.status).toMatchObject({ lsn, rows: 2, error: null })
    expect(await rowsOf(replica, 'tidemark.part')).toEqual([])
  })

  test('APP-R10 values of every kind keep their text by snapshot and by stream; generated columns are computed here', async () => {
    const columns = [
      column('id', 'bigint'),
      column('org'),
      column('n', 'numeric'),
      column('f', 'double precision'),
      column('j', 'jsonb'),
      column('l', 'text[]'),
      column('b', 'bytea'),
      column('w', 'timestamp with time zone'),
      column('i', 'interval'),
      column('m', 'public.mood'),
      column('ms', 'public.mood[]'),
      column('Odd "name"', 'character varying(20)'),
      column('doubled', 'numeric', { generated: '(n * (2)::numeric)' }),
    ]
    const definition: Definition = {
      types: [{ schema: 'public', name: 'mood', statement: `CREATE TYPE public.mood AS ENUM ('calm', 'so-so')` }],
      tables: [defineTable('value', columns)],
    }
    const row = (id: string, more: Row = {}): Row => ({
      id,
      org: 'a',
      n: 'NaN',
      f: '-Infinity',
      j: '"null"',
      l: '{a,NULL,"quo\\"ted, \\\\"}',
      b: '\\x00ff',
      w: '0044-03-15 11:00:00+00 BC',
      i: '-10 mons -3 days',
      m: 'so-so',
      ms: '{calm,so-so}',
      'Odd "name"': 'tab\tand \u{1f30a}',
      ...more,
    })
    const table = 'public.value'
    const { replica, commit } = await running([row('9007199254740993')], definition, table)
    await commit(
      { o: 'i', t: table, a, d: row('9007199254740995') },
      { o: 'i', t: table, a, d: row('2', { n: '1' }) },
      {
        o: 'u',
        t: table,
        a,
        k: { id: '2' },
        d: row('2', { j: 'null', n: '12345678901234567890.10', 'Odd "name"': null }),
      },
    )
    const { rows } = await replica.db.query<Row>(
      `SELECT ${columns.map(({ name }) => `"${name.replaceAll('"', '""')}"::text`).join(', ')} FROM value v ORDER BY v.id`,
    )
    expect(rows).toEqual([
      {
        ...row('2', { j: 'null', n: '12345678901234567890.10', 'Odd "name"': null }),
        doubled: '24691357802469135780.20',
      },
      { ...row('9007199254740993'), doubled: 'NaN' },
      { ...row('9007199254740995'), doubled: 'NaN' },
    ])
  })

  test('APP-R9 synced tables refuse local writes with one clear error; the app’s own tables take them', async () => {
    const { replica } = await running([note('1')])
    await expect(replica.db.exec(`UPDATE note SET title = 'mine'`)).rejects.toThrow(
      'table public.note is synced and read-only here',
    )
    await expect(replica.db.exec('TRUNCATE note')).rejects.toThrow('read-only here')
    await replica.db.exec('CREATE TABLE mine (id int); INSERT INTO mine VALUES (1)')
    expect(await rowsOf(replica, 'mine')).toEqual([{ id: 1 }])
  })

  test('APP-R11 an audience that the session no longer has is purged before its first frame', async () => {
    const { server, replica, session } = await running([note('1')])
    await replica.close()
    const second = await serve(NOTES, { [a]: snapshot([note('1')]), 'org:b': snapshot([{ ...note('2'), org: 'b' }]) })
    const both = await start(second.url)
    await both.ready
    second.server.audiences = [a]
    ;(await second.server.session(0)).cut()
    await second.server.session(1)
    await statusThat(both, ({ audiences }) => audiences.length === 1)
    expect(await rowsOf(both, 'note', 'id')).toEqual([{ id: '1' }])
    expect(both.status.rows).toBe(1)
    expect(server.sessions).toHaveLength(1)
    expect(session.isClosed).toBe(true)
  })
})
