import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Definition, FrameDown, Lsn, MarkedChange, Row, WireChange } from '../../protocol/index.ts'
import { column, defineTable, note, WRITABLE } from '../../testing/replica/definitions.ts'
import { fillDevice } from '../../testing/replica/full-device.ts'
import { LocalReplica } from '../../testing/replica/local-replica.ts'
import { at, batch, type SnapshotScript } from '../../testing/replica/scripted-server.ts'
import { closeAfterEach, serve, start } from '../../testing/replica/serve.ts'
import { rowsOf, startReplica, statusThat } from '../../testing/replica/start-replica.ts'
import { purgeAudiences } from '../replica/purge-audiences.ts'
import { Stream } from '../replica/stream.ts'
import type { Replica } from '../replica-api.ts'

closeAfterEach()
const open: LocalReplica[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const NOTE = 'public.note'
const a = 'org:a'
const insert = (row: Row, audience = a): WireChange => ({ o: 'i', t: NOTE, a: audience, d: row })
const update = (id: string, d: Row): WireChange => ({ o: 'u', t: NOTE, a, k: { id }, d })

async function replicaWith(rows: Row[], more = {}): Promise<LocalReplica> {
  const replica = await LocalReplica.open(WRITABLE, { rows: { [NOTE]: rows }, ...more })
  open.push(replica)
  return replica
}

/** A stream into a local replica, and what it asks its server for. */
function streamInto(replica: LocalReplica) {
  const restarts: { from: Lsn; rowsTo: Lsn | null }[] = []
  const faults: unknown[] = []
  const stream = new Stream(replica.outbox, {
    onApplied({ copy }) {
      replica.copy = copy
    },
    acknowledge: () => undefined,
    onRightsChanged: () => undefined,
    restartStream(_epoch, from, rowsTo) {
      restarts.push({ from, rowsTo })
    },
    onFailed: (error) => void faults.push(error),
  })
  stream.start(replica.copy, async (copy) => copy)
  const take = async (...frames: Extract<FrameDown, { type: 'batch' | 'part' | 'fragment' | 'restarted' }>[]) => {
    for (const frame of frames) stream.enqueueFrame(frame, 1)
    await stream.whenIdle()
  }
  return { stream, restarts, faults, take }
}

type BatchFrame = Extract<FrameDown, { type: 'batch' }>
const framed = (from: Lsn, lsn: Lsn, changes: MarkedChange[]): BatchFrame => ({
  type: 'batch',
  from,
  to: lsn,
  head: lsn,
  transactions: [{ lsn, xid: '1', at: '2026-11-20T00:00:00Z', changes }],
})

describe('markers', () => {
  test('DIS-14 RBS-R8 a mutation that is not known here is asked for as rows, and its number is passed over', async () => {
    const replica = await replicaWith([note('1')])
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'`)
    const { restarts, faults, take } = streamInto(replica)
    const from = replica.cursor
    const lsn = at(0x200)
    // A copy of this profile has made a mutation of this number, and three more.
    await take(
      framed(from, lsn, [
        { o: 'm', c: 4 },
        { o: 'p', p: 0, d: { rank: '8' } },
      ]),
    )
    expect(restarts).toEqual([{ from, rowsTo: lsn }])
    await take(
      { type: 'restarted', from },
      framed(from, lsn, [{ o: 'm', c: 4 }, update('1', { rank: '8' })]),
      framed(lsn, at(0x210), [{ o: 'm', c: 1 }, update('1', { number: '9' })]),
    )
    expect(faults).toEqual([])
    expect(await replica.rows('note', 'title, rank, number')).toEqual([{ title: 'mine', rank: 8, number: 9 }])
    expect(await replica.states()).toEqual({ 1: 'pending' })
    await replica.db.exec(`UPDATE note SET title = 'again' WHERE id = '1'`)
    expect(await replica.states()).toEqual({ 1: 'pending', 5: 'pending' })
    // A server that goes on sending what cannot be read is not asked for ever.
    await take(
      framed(at(0x210), at(0x220), [
        { o: 'm', c: 9 },
        { o: 'p', p: 0 },
      ]),
    )
    await take(
      { type: 'restarted', from: at(0x210) },
      framed(at(0x210), at(0x220), [
        { o: 'm', c: 9 },
        { o: 'p', p: 0 },
      ]),
    )
    expect(restarts).toHaveLength(2)
    expect(faults).toMatchObject([{ kind: 'corrupt' }])
  })

  test('APP-R8 RBS-R2 an own mutation in parts, and a large one of others, are applied under pending work', async () => {
    const replica = await replicaWith([note('1'), note('2')])
    await replica.db.exec(`UPDATE note SET title = 'mine ' || id`)
    await replica.db.exec(`UPDATE note SET rank = 5 WHERE id = '1'`)
    await replica.send(1)
    const { take, faults, restarts } = streamInto(replica)
    const piece = { from: replica.cursor, lsn: at(0x200), head: at(0x200), xid: '3', at: '2026-11-20T00:00:00Z' }
    await take(
      {
        type: 'part',
        ...piece,
        index: 0,
        last: false,
        changes: [
          { o: 'm', c: 1 },
          { o: 'p', p: 0 },
        ],
      },
      {
        type: 'part',
        ...piece,
        index: 1,
        last: true,
        changes: [{ o: 'p', p: 1, d: { title: 'theirs' } }, insert(note('3'))],
      },
    )
    const other = { ...piece, from: at(0x200), lsn: at(0x210), head: at(0x210) }
    await take({ type: 'part', ...other, index: 0, last: true, changes: [update('1', { rank: '8', number: '1' })] })
    expect(faults).toEqual([])
    expect(await replica.states()).toEqual({ 1: 'confirmed', 2: 'pending' })
    expect(await replica.rows('note', 'id, title, rank, number')).toEqual([
      { id: '1', title: 'mine 1', rank: 5, number: 1 },
      { id: '2', title: 'theirs', rank: 1, number: 7 },
      { id: '3', title: 'title 3', rank: 1, number: 7 },
    ])
    const unknown = { ...piece, from: at(0x210), lsn: at(0x220), head: at(0x220) }
    await take({
      type: 'part',
      ...unknown,
      index: 0,
      last: true,
      changes: [
        { o: 'm', c: 7 },
        { o: 'p', p: 0 },
      ],
    })
    expect(restarts).toEqual([{ from: at(0x210), rowsTo: at(0x220) }])
    expect(await replica.rows('tidemark.part')).toEqual([])
  })

  test('DIS-13 a mutation without effect, or in unseen rows only, is confirmed by its marker', async () => {
    const replica = await replicaWith([note('1')])
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'`)
    await replica.send(1)
    expect(await replica.outbox.hasUnsettledSent()).toBe(true)
    await replica.commit([], { counter: 1 })
    expect(await replica.states()).toEqual({ 1: 'confirmed' })
    expect(await replica.rows('note', 'title')).toEqual([{ title: 'title 1' }])
    expect(await replica.outbox.hasUnsettledSent()).toBe(false)
  })
})

describe('rights and pending work', () => {
  test('DIS-21 SEC-09 RBS-R9 the pending work of a lost audience fails, that of others stays', async () => {
    const replica = await replicaWith([note('1'), note('2', { org: 'b' }), note('3', { org: 'b' })], {
      audiences: ['org:a', 'org:b'],
    })
    for (const sql of [
      `UPDATE note SET title = 'mine' WHERE id = '2'`,
      `UPDATE note SET title = 'ours' WHERE id = '1'`,
      `INSERT INTO note (id, org) VALUES ('4', 'b')`,
      `UPDATE note SET rank = 3 WHERE id = '3'`,
    ])
      await replica.db.exec(sql)
    await replica.db.transaction((tx) => replica.outbox.sealNewPatches(tx, replica.copy.tables))
    await replica.send(1)
    replica.copy = await purgeAudiences(replica.outbox, replica.copy, ['org:b'])
    expect(await replica.rows('note', 'id, title')).toEqual([{ id: '1', title: 'ours' }])
    expect(replica.copy.rows).toBe(1)
    expect(await replica.states()).toEqual({ 1: 'sent!', 2: 'pending', 3: 'failed forbidden', 4: 'failed forbidden' })
    await replica.commit([], { counter: 1, rejection: { kind: 'forbidden', message: 'not yours' } })
    expect(await replica.states()).toMatchObject({ 1: 'failed forbidden', 2: 'pending' })
  })
})

describe('a granted audience', () => {
  test('DIS-21 RGT-R4 RBS-R7 joins under pending work, which may write to it from then on', async () => {
    const { server, url } = await serve(ONE_NOTE, { [a]: snapshot([note('1')]) })
    server.answerPush = () => 503
    const replica = await start(url)
    await replica.ready
    const session = await server.session(0)
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'`)
    const foreign = `INSERT INTO note (id, org, title) VALUES ('3', 'b', 'new')`
    await expect(replica.db.exec(foreign)).rejects.toThrow('an audience that this replica does not hold')
    server.snapshots.set('org:b', snapshot([note('2', { org: 'b' })], 0x110))
    session.send(batch(at(0x100), at(0x110), [{ lsn: at(0x110), xid: '11', changes: [update('1', { rank: '2' })] }]))
    session.send({ type: 'audiences', audiences: [a, 'org:b'] })
    await statusThat(replica, ({ audiences }) => audiences.includes('org:b'))
    await replica.db.exec(foreign)
    expect(await rowsOf(replica, 'note', 'id, title, rank')).toEqual([
      { id: '1', title: 'mine', rank: 2 },
      { id: '2', title: 'title 2', rank: 1 },
      { id: '3', title: 'new', rank: 1 },
    ])
    expect(Object.values(await statesOf(replica))).not.toContain('failed')
  })
})

describe('a device without room', () => {
  test('SNP-19 HYD-R2 a rebase that finds no room changes nothing, and the outbox is safe', async () => {
    const replica = await replicaWith([note('1')])
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'`)
    const many = Array.from({ length: 400 }, (_, index) =>
      insert(note(`n${index}`, { title: 'x'.repeat(2000) + index })),
    )
    const release = fillDevice(replica.db, 'ENOSPC')
    const failing = replica.commit([update('1', { rank: '4' }), ...many])
    await expect(failing).rejects.toMatchObject({ kind: 'storage' })
    release()
    expect(await replica.rows('note', 'id, title, rank')).toEqual([{ id: '1', title: 'mine', rank: 1 }])
    expect(await replica.states()).toEqual({ 1: 'pending' })
    await replica.outbox.discardMutation(1)
    expect(await replica.rows('note', 'title')).toEqual([{ title: 'title 1' }])
  })
})

const snapshot = (rows: readonly Row[], position = 0x100): SnapshotScript => ({
  start: at(position),
  fence: at(position),
  snapshot: '10:10:',
  rows: { [NOTE]: rows },
})

const ONE_NOTE: Definition = {
  types: [],
  tables: WRITABLE.tables.filter(({ name }) => name === 'note').map((table) => ({ ...table, foreignKeys: [] })),
}

async function statesOf(replica: Replica): Promise<Record<string, string>> {
  const { rows } = await replica.db.query<{ counter: number; status: string }>(
    'SELECT counter, status FROM tidemark.mutation ORDER BY counter',
  )
  return Object.fromEntries(rows.map(({ counter, status }) => [counter, status]))
}

/** Freezes a mutation as an unanswered push does. */
async function freeze(replica: Replica, counter: number, predicted: object[]): Promise<void> {
  await replica.db.query(
    `UPDATE tidemark.mutation SET status = 'sent', request = coalesce(request, '{}'), predicted = coalesce(predicted, $2) WHERE counter = $1`,
    [counter, JSON.stringify(predicted)],
  )
}

describe('the join of a loaded copy', () => {
  test('SNP-14 SNP-15 RBS-R7 pending work is done again on it; what it holds already is confirmed, not done again', async () => {
    const { server, url } = await serve(ONE_NOTE, { [a]: snapshot([note('1'), note('2')]) })
    server.answerPush = () => 503
    const replica = await start(url)
    await replica.ready
    const session = await server.session(0)
    const { db } = replica
    await db.exec(`UPDATE note SET rank = rank + 1 WHERE id = '1'`)
    await db.exec(`UPDATE note SET title = 'mine' WHERE id = '2'`)
    await db.exec(`UPDATE note SET title = 'refused' WHERE id = '1'`)
    await db.exec(`UPDATE note SET rank = 9 WHERE id = '2'`)
    await freeze(replica, 1, [{ o: 'u', t: NOTE, a, k: { id: '1' }, d: { rank: '2' } }])
    await freeze(replica, 2, [{ o: 'u', t: NOTE, a, k: { id: '2' }, d: { title: 'mine' } }])
    await freeze(replica, 3, [{ o: 'u', t: NOTE, a, k: { id: '1' }, d: { title: 'refused' } }])
    // The answers were lost; the snapshot holds the first, the second comes in the stream, the third was refused.
    server.answerOutcomes = () => ({
      epoch: server.epoch,
      outcomes: [
        { outcome: { counter: 1, status: 'committed' }, lsn: at(0x180) },
        { outcome: { counter: 2, status: 'committed' }, lsn: null },
        { outcome: { counter: 3, status: 'rejected', rejection: { kind: 'conflict', message: 'no' } }, lsn: at(0x190) },
      ],
    })
    server.snapshots.set(a, snapshot([note('1', { rank: '2' }), note('2'), note('3')], 0x200))
    server.head = at(0x210)
    session.send({ type: 'rehydrate', reason: 'retention' })
    await session.frame('stream', ({ from }) => from === at(0x200))
    session.send(batch(at(0x200), at(0x210)))
    await replica.reached(at(0x210))
    expect(await rowsOf(replica, 'note', 'id, title, rank')).toEqual([
      { id: '1', title: 'title 1', rank: 2 },
      { id: '2', title: 'mine', rank: 9 },
      { id: '3', title: 'title 3', rank: 1 },
    ])
    expect(await statesOf(replica)).toMatchObject({ 1: 'confirmed', 2: 'sent', 3: 'failed' })
    session.send({
      type: 'batch',
      from: at(0x210),
      to: at(0x220),
      head: at(0x220),
      transactions: [
        {
          lsn: at(0x220),
          xid: '30',
          at: '2026-11-20T00:00:00Z',
          changes: [
            { o: 'm', c: 2 },
            { o: 'p', p: 0 },
          ],
        },
      ],
    })
    await replica.reached(at(0x220))
    expect(await statesOf(replica)).toMatchObject({ 2: 'confirmed' })
    expect((await rowsOf(replica, 'note', 'id, title, rank'))[1]).toEqual({ id: '2', title: 'mine', rank: 9 })
  })

  test('SNP-14 RBS-R7 pending work outlives a definition that makes its tables anew', async () => {
    const { server, url } = await serve(ONE_NOTE, { [a]: snapshot([note('1')]) })
    server.answerPush = () => 503
    const replica = await start(url)
    await replica.ready
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'`)
    await replica.db.exec(`INSERT INTO note (id, org, title) VALUES ('2', 'a', 'made')`)
    const [table] = ONE_NOTE.tables
    server.definition = {
      types: [],
      tables: table
        ? [{ ...table, columns: [...table.columns, column('more', 'text', { default: `'x'::text` })] }]
        : [],
    }
    server.definitionVersion = 2
    server.definitionHash = 'hash-two'
    server.snapshots.set(a, snapshot([note('1', { rank: '4', more: 'given' })], 0x200))
    server.head = at(0x200)
    ;(await server.session(0)).cut()
    const second = await server.session(1)
    await second.frame('stream')
    second.send(batch(at(0x100), at(0x200)))
    await replica.reached(at(0x200))
    expect(await rowsOf(replica, 'note', 'id, title, rank, more')).toEqual([
      { id: '1', title: 'mine', rank: 4, more: 'given' },
      { id: '2', title: 'made', rank: 1, more: 'x' },
    ])
  })
})

describe('a killed rebase', () => {
  test('REB-06 APP-01 killed at any moment, rows, cursor and pending work are all there or none', async () => {
    const directory = await mkdtemp(joinPath(tmpdir(), 'tidemark-'))
    const storage = joinPath(directory, 'replica')
    const table = defineTable('note', [column('id'), column('org'), column('title'), column('rank', 'integer')], {
      write: 'all',
    })
    const plain = (id: string) => ({ id, org: 'a', title: `title ${id}`, rank: '0' })
    try {
      const ids = Array.from({ length: 20 }, (_, index) => `n${index}`)
      const { server, url } = await serve({ types: [], tables: [table] }, { [a]: snapshot(ids.map(plain)) })
      server.answerPush = () => 503
      const script = fileURLToPath(new URL('../../testing/replica/rebase-until-killed.ts', import.meta.url))
      let sessions = 0
      for (const kills of [2, 5, 9]) {
        const child = spawn(process.execPath, [script, url, storage], { stdio: ['ignore', 'pipe', 'inherit'] })
        onTestFinished(() => void child.kill('SIGKILL'))
        const session = await server.session(sessions++)
        const from = session.hello.cursor ?? (await session.frame('stream')).from
        await once(child.stdout, 'data')
        let position = Number.parseInt(from, 16)
        for (let sent = 0; sent < 400; sent++) {
          const next = position + 1
          const changes = ids.map((id) => update(id, { rank: String(next) }))
          server.head = at(next)
          session.send(batch(at(position), at(next), [{ lsn: at(next), xid: '5', changes }]))
          position = next
        }
        await session.frame(
          'ack',
          ({ cursor }) => Number.parseInt(cursor ?? '0', 16) >= Number.parseInt(from, 16) + kills,
        )
        const dead = new Promise((resolve) => child.once('close', resolve))
        child.kill('SIGKILL')
        await dead
      }
      server.welcome = (hello) => ({ head: hello.cursor ?? at(0x100) })
      const replica = await startReplica(url, { storage })
      try {
        const lsn = Number.parseInt(replica.status.lsn ?? '0', 16)
        const rows = await rowsOf(replica, 'note', 'id, title, rank')
        expect(rows).toHaveLength(ids.length)
        for (const row of rows) expect(row).toMatchObject({ title: expect.stringMatching(/^mine n/), rank: lsn })
        const { rows: writes } = await replica.db.query<{ n: number }>('SELECT count(*)::int AS n FROM tidemark.write')
        expect(writes[0]?.n).toBe(ids.length)
      } finally {
        await replica.close()
      }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})
