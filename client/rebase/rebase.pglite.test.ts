import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { action, refuse } from '../../db/index.ts'
import type { Row, WireChange } from '../../protocol/index.ts'
import { folder, note, WRITABLE } from '../../testing/replica/definitions.ts'
import { LocalReplica } from '../../testing/replica/local-replica.ts'

const open: LocalReplica[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const NOTE = 'public.note'
const a = 'org:a'
const insert = (row: Row, t = NOTE): WireChange => ({ o: 'i', t, a, d: row })
const update = (id: string, d: Row): WireChange => ({ o: 'u', t: NOTE, a, k: { id }, d })
const remove = (id: string): WireChange => ({ o: 'd', t: NOTE, a, k: { id } })

const label = z.object({ id: z.string(), text: z.string() })
let salt = 0
const ACTIONS = {
  addLabel: action(label, async ({ sql, id, now, user }, args) => {
    await sql`INSERT INTO label (id, org, text) VALUES (${args.id}, 'a', ${`${args.text} ${id('one', 1)} ${now} ${user.id}`})`
  }),
  raise: action(
    z.object({ id: z.string(), by: z.number() }),
    async ({ sql }, { id, by }) => {
      const [row] = await sql`SELECT rank, true AS yes, ARRAY[1, NULL] AS list FROM note WHERE id = ${id}`
      if (!row) return refuse('gone', 'There is no such note.', { id })
      if (row.yes !== 't' || row.list !== '{1,NULL}') throw new Error('Values are not text.')
      await sql`UPDATE note SET rank = ${Number(row.rank) + by} WHERE id = ${id}`
    },
    { before: (args) => ({ ...(args as { id: string }), by: (args as { amount: number }).amount }) },
  ),
  fickle: action(z.object({ id: z.string() }), async ({ sql }, { id }) => {
    salt += 1
    await sql`UPDATE note SET title = ${`salt ${salt}`} WHERE id = ${id}`
  }),
}

async function replicaWith(rows: Record<string, Row[]> = {}, more = {}): Promise<LocalReplica> {
  const replica = await LocalReplica.open(WRITABLE, { rows, actions: ACTIONS, ...more })
  open.push(replica)
  return replica
}

describe('rebase', () => {
  test('REB-01 RBS-R2 APP-02 CON-08 a remote change under a pending patch: one live change, basis and edit as they were', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1'), note('2')] })
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'; INSERT INTO note (id, org) VALUES ('3', 'a')`)
    await replica.db.exec(`UPDATE note SET title = 'other' WHERE id = '2'`)
    const states: string[] = []
    const live = await replica.db.live.query<{ state: string }>(
      `SELECT string_agg(id || ':' || coalesce(title, '') || ':' || rank, ' ' ORDER BY id) AS state FROM note`,
      [],
      ({ rows }) => {
        const state = rows[0]?.state ?? ''
        if (states.at(-1) !== state) states.push(state)
      },
    )
    await replica.commit([update('1', { title: 'theirs', rank: '9' })])
    await live.refresh()
    expect(states).toEqual(['1:mine:1 2:other:1 3::1', '1:mine:9 2:other:1 3::1'])
    await live.unsubscribe()
    const { rows } = await replica.db.query<{ patch: string }>('SELECT patch FROM tidemark.mutation ORDER BY counter')
    expect(JSON.parse(rows[0]?.patch ?? '')[0]).toMatchObject({ d: { title: 'mine' }, b: { title: { v: 'title 1' } } })
    // Work that nothing touched was left alone.
    const writes = await replica.rows('tidemark.write', 'counter, position')
    expect(writes.map(({ counter }) => counter)).toEqual([1, 1, 2])
    expect(writes.find(({ counter }) => counter === 2)?.position).toBe(3)
    await replica.outbox.failMutation(1, { kind: 'conflict', message: 'no' })
    expect(await replica.rows('note', 'id, title, rank')).toEqual([
      { id: '1', title: 'theirs', rank: 9 },
      { id: '2', title: 'other', rank: 1 },
    ])
    expect(await replica.states()).toEqual({ 1: 'failed conflict', 2: 'pending' })
  })

  test('REB-03 REB-19 a mutation that shares a row with later ones is undone with them, down to the true base', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1'), note('2'), note('3')] })
    for (const sql of [
      `UPDATE note SET rank = 2 WHERE id IN ('1', '2')`,
      `UPDATE note SET rank = 3 WHERE id IN ('2', '3')`,
      `UPDATE note SET title = 'mine' WHERE id = '3'`,
    ])
      await replica.db.exec(sql)
    await replica.commit([update('1', { title: 'first' })])
    await replica.commit([update('2', { title: 'second' })])
    await replica.outbox.failMutation(1, { kind: 'refused', message: 'no' })
    expect(await replica.rows('note', 'id, title, rank')).toEqual([
      { id: '1', title: 'first', rank: 1 },
      { id: '2', title: 'second', rank: 3 },
      { id: '3', title: 'mine', rank: 3 },
    ])
    await replica.outbox.failMutation(2, { kind: 'refused', message: 'no' })
    await replica.outbox.failMutation(2, { kind: 'conflict', message: 'again' })
    await replica.outbox.failMutation(3, { kind: 'refused', message: 'no' })
    expect(await replica.rows('note', 'id, title, rank')).toEqual([
      { id: '1', title: 'first', rank: 1 },
      { id: '2', title: 'second', rank: 1 },
      { id: '3', title: 'title 3', rank: 1 },
    ])
    expect(await replica.rows('tidemark.write')).toEqual([])
  })

  test('REB-04 RBS-R3 RBS-R5 a remote row that takes the unique value of a pending insert applies; the insert fails', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1')], 'public.folder': [folder('f')] })
    await replica.db.exec(`INSERT INTO note (id, org, title) VALUES ('2', 'a', 'taken')`)
    await replica.db.exec(`UPDATE note SET rank = 5 WHERE id = '2'`)
    await replica.db.exec(`UPDATE note SET rank = 5 WHERE id = '1'`)
    await replica.commit([insert(note('3', { title: 'taken' }))])
    expect(await replica.rows('note', 'id, title, rank')).toEqual([
      { id: '1', title: 'title 1', rank: 5 },
      { id: '3', title: 'taken', rank: 1 },
    ])
    expect(await replica.states()).toEqual({ 1: 'failed constraint', 2: 'failed dependency', 3: 'pending' })
    const { rows } = await replica.db.query<{ rejection: string }>(
      `SELECT rejection FROM tidemark.mutation WHERE counter = 1`,
    )
    expect(JSON.parse(rows[0]?.rejection ?? '')).toMatchObject({ constraint: 'note_title_key', table: NOTE })
  })

  test('REB-05 a remote delete of the row being edited fails the edit with its reason; a delete of it is done', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1'), note('2')] })
    await replica.db.exec(`UPDATE note SET rank = 5 WHERE id = '1'`)
    await replica.db.exec(`DELETE FROM note WHERE id = '2'`)
    await replica.commit([remove('1'), remove('2')])
    expect(await replica.states()).toEqual({ 1: 'failed missing-row', 2: 'pending' })
    expect(await replica.rows('note')).toEqual([])
  })

  test('REB-20 RBS-R5 an attempted mutation whose redo throws stays sent, without effect, until its outcome', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1')] })
    await replica.db.exec(`INSERT INTO note (id, org, title) VALUES ('2', 'a', 'taken')`)
    await replica.send(1)
    await replica.db.exec(`UPDATE note SET rank = 5 WHERE id = '2'`)
    await replica.commit([insert(note('3', { title: 'taken' }))])
    expect(await replica.states()).toEqual({ 1: 'sent!', 2: 'pending!' })
    expect(await replica.rows('note', 'id')).toEqual([{ id: '1' }, { id: '3' }])
    await replica.commit([update('1', { rank: '2' })])
    expect(await replica.states()).toEqual({ 1: 'sent!', 2: 'pending!' })
    // The server freed the value before it took the insert.
    await replica.commitAll([
      { changes: [update('3', { title: 'free' })] },
      { changes: [insert(note('2', { title: 'taken', number: '8' }))], by: { counter: 1 } },
    ])
    expect(await replica.states()).toEqual({ 1: 'confirmed', 2: 'pending' })
    expect(await replica.rows('note', 'id, title, rank')).toEqual([
      { id: '1', title: 'title 1', rank: 2 },
      { id: '2', title: 'taken', rank: 5 },
      { id: '3', title: 'free', rank: 1 },
    ])
  })

  test('REB-17 RBS-R6 what builds on a discarded mutation falls with it, the rest stays', async () => {
    const replica = await replicaWith({ 'public.folder': [folder('f')], [NOTE]: [note('1', { folder: 'f' })] })
    for (const sql of [
      `INSERT INTO folder (id, org) VALUES ('g', 'a')`,
      `INSERT INTO note (id, org, folder) VALUES ('2', 'a', 'g')`,
      `UPDATE note SET rank = 3 WHERE id = '2'`,
      `UPDATE note SET folder = 'g' WHERE id = '1'`,
      `UPDATE note SET rank = 4 WHERE id = '1'`,
    ])
      await replica.db.exec(sql)
    await replica.outbox.discardMutation(1)
    expect(await replica.states()).toEqual({
      2: 'failed dependency',
      3: 'failed dependency',
      4: 'failed dependency',
      5: 'pending',
    })
    expect(await replica.rows('note', 'id, folder, rank')).toEqual([{ id: '1', folder: 'f', rank: 4 }])
    expect(await replica.rows('folder', 'id')).toEqual([{ id: 'f' }])
    await replica.outbox.discardMutation(2)
    await replica.send(5)
    await expect(replica.outbox.discardMutation(5)).rejects.toMatchObject({ kind: 'bad-input' })
    expect(Object.keys(await replica.states())).toEqual(['3', '4', '5'])
  })

  test('RBS-R4 a confirmation that finds its rows as committed settles without touching them', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1'), note('2')] })
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'`)
    await replica.db.exec(`DELETE FROM note WHERE id = '2'`)
    await replica.db.exec(`INSERT INTO folder (id, org, name) VALUES ('f', 'a', 'x')`)
    for (const counter of [1, 2, 3]) await replica.send(counter)
    const versions = () => replica.rows('note', 'id, xmin::text')
    const before = await versions()
    const { copy } = replica
    await replica.commitAll([
      { changes: [update('1', { title: 'mine' })], by: { counter: 1 } },
      { changes: [remove('2')], by: { counter: 2 } },
      { changes: [insert({ id: 'f', org: 'a', name: 'x' }, 'public.folder')], by: { counter: 3 } },
    ])
    expect(await versions()).toEqual(before)
    expect(await replica.states()).toEqual({ 1: 'confirmed', 2: 'confirmed', 3: 'confirmed' })
    expect(replica.copy.rows).toBe(copy.rows)
    expect(await replica.rows('tidemark.write')).toEqual([])
  })

  test('REB-12 REB-13 REB-18 the rows are the server’s, whatever was predicted and whatever a rebase made of it', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1'), note('2'), note('3')] })
    await replica.outbox.runAction('raise', { id: '1', by: 10 })
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id IN ('2', '3')`.replace(`'mine'`, `'mine ' || id`))
    await replica.send(1)
    await replica.send(2)
    await replica.db.exec(`UPDATE note SET rank = 50 WHERE id = '2'`)
    // Here another change came first, which comes last at the server.
    await replica.commit([update('1', { rank: '100' })])
    expect(await replica.rows('note', 'id, rank')).toEqual([
      { id: '1', rank: 110 },
      { id: '2', rank: 50 },
      { id: '3', rank: 1 },
    ])
    await replica.commitAll([
      // The server ran it on older input than the run here.
      { changes: [update('1', { rank: '11' })], by: { counter: 1 } },
      // The server changed one of two rows, another column, and a row that was not predicted.
      { changes: [update('2', { title: 'by trigger', number: '99' }), insert(note('4'))], by: { counter: 2 } },
    ])
    expect(await replica.rows('note', 'id, title, rank, number')).toEqual([
      { id: '1', title: 'title 1', rank: 11, number: 7 },
      { id: '2', title: 'by trigger', rank: 50, number: 99 },
      { id: '3', title: 'title 3', rank: 1, number: 7 },
      { id: '4', title: 'title 4', rank: 1, number: 7 },
    ])
    expect(await replica.states()).toEqual({ 1: 'confirmed', 2: 'confirmed', 3: 'pending' })
  })

  test('OUT-06 a rejection in the stream undoes its mutation and what builds on it, once', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1')] })
    await replica.db.exec(`INSERT INTO note (id, org) VALUES ('2', 'a')`)
    await replica.db.exec(`UPDATE note SET rank = 9 WHERE id = '2'`)
    await replica.db.exec(`UPDATE note SET rank = 9 WHERE id = '1'`)
    for (const counter of [1, 2, 3]) await replica.send(counter)
    const rejection = { kind: 'forbidden', message: 'not yours' } as const
    await replica.commitAll([
      { changes: [], by: { counter: 1, rejection } },
      { changes: [], by: { counter: 2, rejection: { kind: 'dependency', message: 'falls', on: 1 } } },
    ])
    await replica.outbox.failMutation(1, rejection)
    expect(await replica.states()).toEqual({ 1: 'failed forbidden', 2: 'failed dependency', 3: 'sent' })
    expect(await replica.rows('note', 'id, rank')).toEqual([{ id: '1', rank: 9 }])
  })

  test('REB-07 what the app writes during a rebase is kept', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1'), note('2')] })
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '1'`)
    const rounds = Array.from({ length: 5 }, (_, index) => index)
    await Promise.all([
      ...rounds.map((index) => replica.db.exec(`UPDATE note SET rank = rank + 1 WHERE id = '${(index % 2) + 1}'`)),
      replica.commit([update('1', { rank: '100' }), update('2', { rank: '200' })]),
    ])
    const [one, two] = await replica.rows('note', 'rank')
    // Patches carry values: those made before the change stand, the others add to it.
    expect(Object.keys(await replica.states())).toHaveLength(6)
    expect([one?.rank, two?.rank].every((rank) => Number(rank) > 1)).toBe(true)
    const before = await replica.rows('note', 'id, title, rank')
    await replica.commit([update('1', { number: '3' }), update('2', { number: '3' })])
    expect(await replica.rows('note', 'id, title, rank')).toEqual(before)
  })

  test('REB-08 pending work of any length over 1,000 incoming changes takes the same few statements in one transaction', async () => {
    const rows = Array.from({ length: 1000 }, (_, index) => note(`n${index}`))
    const replica = await replicaWith({ [NOTE]: rows })
    const calls = vi.spyOn(replica.db, 'execProtocol')
    const costs: number[] = []
    for (const [from, to] of [
      [0, 20],
      [20, 500],
    ] as const) {
      for (let index = from; index < to; index++)
        await replica.db.exec(`UPDATE note SET title = 'mine ${index}' WHERE id = 'n${index}'`)
      // Patches are made when they are first looked at, by anything.
      await replica.db.transaction((tx) => replica.outbox.sealNewPatches(tx, replica.copy.tables))
      calls.mockClear()
      await replica.commit(rows.map((row) => update(row.id ?? '', { rank: String(to) })))
      costs.push(calls.mock.calls.length)
    }
    expect(costs[1]).toBe(costs[0])
    const { rows: found } = await replica.db.query(
      `SELECT count(*) FILTER (WHERE title LIKE 'mine%')::int AS mine, sum(rank)::int AS ranks FROM note`,
    )
    expect(found).toEqual([{ mine: 500, ranks: 500_000 }])
  })
})

describe('actions', () => {
  test('REB-09 REB-10 ACT-R1 ACT-R2 ids, now and user are those of the mutation in every run, and all values are text', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1')] })
    const id = await replica.outbox.runAction('addLabel', { id: 'l', text: 'hello' })
    const other = await replica.outbox.runAction('addLabel', { id: 'm', text: 'hello' })
    expect([id, other]).toEqual(['client-of-this-test:1', 'client-of-this-test:2'])
    const texts = async () => (await replica.rows('label', 'text')).map(({ text }) => String(text))
    const before = await texts()
    expect(new Set(before.map((text) => text.split(' ')[1])).size).toBe(2)
    expect(before[0]).toMatch(/^hello [0-9a-f-]{36} \d{4}-\d\d-\d\dT[\d:.]+Z ann$/)
    await replica.commit([update('1', { rank: '2' })])
    expect(await texts()).toEqual(before)
    expect(await replica.states()).toEqual({ 1: 'pending', 2: 'pending' })
  })

  test('REB-02 ACT-R3 an action runs again on what changed; one that throws then fails, later ones do not', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1'), note('2')] })
    await replica.outbox.runAction('raise', { id: '1', by: 10 })
    await replica.outbox.runAction('raise', { id: '2', by: 10 })
    await replica.db.exec(`UPDATE note SET title = 'mine' WHERE id = '2'`)
    await replica.commit([update('2', { rank: '5' })])
    expect(await replica.rows('note', 'id, rank')).toEqual([
      { id: '1', rank: 11 },
      { id: '2', rank: 15 },
    ])
    await replica.commit([remove('1')])
    expect(await replica.states()).toEqual({ 1: 'failed refused', 2: 'pending', 3: 'pending' })
    expect(await replica.rows('note', 'id, title, rank')).toEqual([{ id: '2', title: 'mine', rank: 15 }])
    const { rows } = await replica.db.query<{ rejection: string }>(
      'SELECT rejection FROM tidemark.mutation WHERE counter = 1',
    )
    expect(JSON.parse(rows[0]?.rejection ?? '')).toMatchObject({ code: 'gone', data: { id: '1' } })
  })

  test('REB-11 ACT-R1 an unknown action, wrong arguments and one that refuses leave nothing', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1')] })
    await expect(replica.outbox.runAction('none', {})).rejects.toMatchObject({ kind: 'bad-input' })
    await expect(replica.outbox.runAction('toString', {})).rejects.toMatchObject({ kind: 'bad-input' })
    await expect(replica.outbox.runAction('raise', { id: 1 })).rejects.toMatchObject({ kind: 'bad-input' })
    await expect(replica.outbox.runAction('raise', { id: 'none', by: 1 })).rejects.toMatchObject({ code: 'gone' })
    expect(await replica.states()).toEqual({})
    await replica.outbox.runAction('raise', { id: '1', by: 1 })
    expect(await replica.states()).toEqual({ 1: 'pending' })
  })

  test('MIG-02 ACT-R5 one that waited since an earlier version is done again with its arguments mapped', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1')] })
    await replica.outbox.runAction('raise', { id: '1', by: 10 })
    await replica.db.exec(`UPDATE tidemark.mutation SET args = '{"id": "1", "amount": 20}'`)
    await replica.commit([update('1', { rank: '5' })])
    expect(await replica.rows('note', 'id, rank')).toEqual([{ id: '1', rank: 25 }])
  })

  test('REB-15 ACT-R4 an action that is not deterministic is warned of in development', async () => {
    const replica = await replicaWith({ [NOTE]: [note('1')] }, { development: true })
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    await replica.outbox.runAction('raise', { id: '1', by: 10 })
    expect(warn).not.toHaveBeenCalled()
    await replica.outbox.runAction('fickle', { id: '1' })
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('fickle'))
    warn.mockRestore()
    expect(await replica.rows('note', 'rank')).toEqual([{ rank: 11 }])
    expect(await replica.states()).toEqual({ 1: 'pending', 2: 'pending' })
  })
})
