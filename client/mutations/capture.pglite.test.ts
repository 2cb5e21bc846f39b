import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pglite'
import { afterEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../protocol/index.ts'
import { folder, note, WRITABLE } from '../../testing/replica/definitions.ts'
import { LocalReplica } from '../../testing/replica/local-replica.ts'
import { readWritesOf } from '../store/rows/write-rows.ts'

const open: LocalReplica[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function replicaWith(rows: Record<string, Record<string, string | null>[]> = {}, more = {}) {
  const replica = await LocalReplica.open(WRITABLE, { ...more, rows: rows })
  open.push(replica)
  return replica
}

async function patchOf(replica: LocalReplica, counter: number) {
  await replica.db.transaction((tx) => replica.outbox.sealNewPatches(tx, replica.copy.tables))
  const { rows } = await replica.db.query<{ patch: string }>('SELECT patch FROM tidemark.mutation WHERE counter = $1', [
    counter,
  ])
  return JSON.parse(rows[0]?.patch ?? 'null')
}

describe('capture', () => {
  test('OUT-01 CON-05 RBS-R1 one mutation for each local transaction, by whatever library; a rollback leaves none', async () => {
    const replica = await replicaWith({ 'public.note': [note('1'), note('2')] })
    const { db } = replica
    await db.query('UPDATE note SET title = $1 WHERE id = $2', ['raw', '1'])
    await db.exec(`BEGIN; UPDATE note SET rank = 5; INSERT INTO note (id, org) VALUES ('3', 'a'); COMMIT`)
    const notes = pgTable('note', { id: text().primaryKey(), org: text(), rank: integer() })
    const orm = drizzle(db)
    await orm.transaction(async (tx) => {
      await tx.insert(notes).values({ id: '4', org: 'a', rank: 2 })
      await tx.update(notes).set({ rank: 3 })
    })
    const rolledBack = db.transaction(async (tx) => {
      await tx.query(`DELETE FROM note`)
      throw new Error('no')
    })
    await expect(rolledBack).rejects.toThrow('no')
    await db.transaction(async (tx) => {
      await tx.exec(`SAVEPOINT s; INSERT INTO note (id, org) VALUES ('5', 'a'); ROLLBACK TO s`)
    })
    await db.exec(`UPDATE note SET rank = rank; DELETE FROM note WHERE id = 'none'`)
    expect(await replica.states()).toEqual({ 1: 'pending', 2: 'pending', 3: 'pending' })
    expect(await patchOf(replica, 1)).toEqual([
      { o: 'u', t: 'public.note', a: 'org:a', k: { id: '1' }, d: { title: 'raw' }, b: { title: { v: 'title 1' } } },
    ])
    expect(await patchOf(replica, 2)).toMatchObject([
      { o: 'u', k: { id: '2' }, d: { rank: '5' }, b: { rank: { v: '1' } } },
      { o: 'u', k: { id: '1' }, d: { rank: '5' } },
      { o: 'i', k: { id: '3' }, d: { id: '3', org: 'a', title: null, rank: '1', number: null } },
    ])
    // It is based on an own earlier mutation, not on a value.
    expect(await patchOf(replica, 3)).toMatchObject([
      { o: 'i', k: { id: '4' }, d: { rank: '3' } },
      { o: 'u', k: { id: '2' }, d: { rank: '3' }, b: { rank: { m: 2 } } },
      { o: 'u', k: { id: '1' }, b: { rank: { m: 2 } } },
      { o: 'u', k: { id: '3' }, b: { rank: { m: 2 } } },
    ])
    expect((await replica.rows('note', 'id, rank, double')).map(({ double }) => double)).toEqual([6, 6, 6, 6])
  })

  test('OUT-15 SEC-14 APP-R9 TRUNCATE, DDL, and writes where they are not allowed are refused with the reason', async () => {
    const replica = await replicaWith({
      'public.note': [note('1')],
      'public.label': [{ id: 'l', org: 'a', text: 'x' }],
    })
    const refused = async (sql: string, reason: string) => {
      await expect(replica.db.exec(sql), sql).rejects.toThrow(reason)
    }
    await refused('TRUNCATE label', 'cannot be truncated')
    await refused('TRUNCATE folder CASCADE', 'cannot be truncated')
    await refused('ALTER TABLE note ADD COLUMN more text', 'only its server changes')
    await refused('ALTER TABLE note DROP COLUMN title', 'only its server')
    await refused('ALTER TABLE note DISABLE TRIGGER ALL', 'only its server changes')
    await refused('ALTER TABLE note RENAME TO other', 'only its server changes')
    await refused('CREATE UNIQUE INDEX mine ON note (rank)', 'only its server changes')
    await refused(
      'CREATE TRIGGER mine BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
      'only its server changes',
    )
    await refused('DROP TRIGGER tidemark_admit ON note', 'only its server drops')
    await refused('DROP TABLE event', 'only its server drops')
    await refused(`UPDATE label SET text = 'mine'`, 'written by actions alone')
    await refused(`INSERT INTO event (id, org) VALUES ('e', 'a')`, 'to be written here but by a cascade')
    await refused(`INSERT INTO note (id, org) VALUES ('2', 'b')`, 'an audience that this replica does not hold')
    await refused(`UPDATE note SET org = 'b'`, 'an audience that this replica does not hold')
    await replica.db.exec(
      `CREATE INDEX mine ON note (rank); DROP INDEX mine; CREATE TABLE own (id int); TRUNCATE own; DROP TABLE own`,
    )
    const live = await replica.db.live.query('SELECT * FROM note', [], () => undefined)
    await live.unsubscribe()
    expect(await replica.states()).toEqual({})
    await replica.db.exec(`UPDATE tidemark.copy SET stage = 'window'`)
    await refused(`UPDATE note SET rank = 2`, 'not loaded yet')
  })

  test('OUT-14 FLD-136 what a cascade does is captured for its undoing and not sent', async () => {
    const replica = await replicaWith({
      'public.folder': [folder('f'), folder('g')],
      'public.note': [note('1', { folder: 'f' }), note('2', { folder: 'f' }), note('3', { folder: 'g' })],
      'public.event': [{ id: 'e', org: 'a', note: '1' }],
    })
    await replica.db.exec(`DELETE FROM folder WHERE id = 'f'`)
    await replica.db.exec(`UPDATE folder SET id = 'h' WHERE id = 'g'`)
    expect(await patchOf(replica, 1)).toEqual([{ o: 'd', t: 'public.folder', a: 'org:a', k: { org: 'a', id: 'f' } }])
    // FLD-136: the server gets no change of a key, which its own foreign keys would follow.
    expect(await patchOf(replica, 2)).toMatchObject([
      { o: 'i', t: 'public.folder', k: { id: 'h' } },
      { o: 'u', t: 'public.note', k: { id: '3' }, d: { folder: 'h' }, b: { folder: { v: 'g' } } },
      { o: 'd', t: 'public.folder', k: { id: 'g' } },
    ])
    const writes = await readWritesOf(replica.db, [1, 2])
    expect(writes.filter(({ cascade }) => cascade).map(({ table, key, op }) => `${op} ${table} ${key}`)).toEqual([
      'delete public.note 1',
      'delete public.note 2',
      'delete public.event e',
    ])
    expect(writes.find(({ table }) => table === 'public.folder')?.key).toBe('["a","f"]')
    await replica.outbox.discardMutation(1)
    expect(await replica.rows('note', 'id, folder')).toEqual([
      { id: '1', folder: 'f' },
      { id: '2', folder: 'f' },
      { id: '3', folder: 'h' },
    ])
    expect(await replica.rows('event', 'id')).toEqual([{ id: 'e' }])
  })

  test('OUT-16 what the server fills in is NULL until it returns, and what a replica can compute is there at once', async () => {
    const replica = await replicaWith()
    await replica.db.exec(`INSERT INTO note (id, org, title) VALUES ('1', 'a', 'new')`)
    expect(await replica.rows('note', 'id, rank, number')).toEqual([{ id: '1', rank: 1, number: null }])
    expect(await patchOf(replica, 1)).toMatchObject([{ o: 'i', d: { rank: '1', number: null }, z: ['number'] }])
    await replica.send(1)
    await replica.commit([{ o: 'i', t: 'public.note', a: 'org:a', d: note('1', { title: 'new', number: '41' }) }], {
      counter: 1,
    })
    expect(await replica.rows('note', 'id, rank, number')).toEqual([{ id: '1', rank: 1, number: 41 }])
    expect(await replica.states()).toEqual({ 1: 'confirmed' })
  })

  test('OUT-25 a reference to what the replica does not hold is the server’s to judge; one that it can see is checked', async () => {
    const replica = await replicaWith({ 'public.folder': [folder('f')] })
    await expect(replica.db.exec(`INSERT INTO note (id, org, folder) VALUES ('1', 'a', 'none')`)).rejects.toThrow(
      'note_folder_fkey',
    )
    await replica.db.exec(`INSERT INTO folder (id, org) VALUES ('made', 'a')`)
    await replica.db.exec(`INSERT INTO note (id, org, folder) VALUES ('1', 'a', 'made')`)
    expect(await replica.states()).toEqual({ 1: 'pending', 2: 'pending' })
  })

  test('APP-07 what the server sends is not captured', async () => {
    const replica = await replicaWith({ 'public.note': [note('1')] })
    await replica.commit([{ o: 'u', t: 'public.note', a: 'org:a', k: { id: '1' }, d: { rank: '4' } }])
    expect(await replica.states()).toEqual({})
    expect(await replica.rows('tidemark.write')).toEqual([])
  })

  test('RBS-R1 a transaction larger than a mutation may be is refused', async () => {
    const replica = await replicaWith()
    const many = (count: number) =>
      `INSERT INTO note (id, org) SELECT n::text, 'a' FROM generate_series(1, ${count}) AS n`
    await expect(replica.db.exec(many(LIMITS.mutationRows + 1))).rejects.toThrow('one transaction may write')
    await expect(
      replica.db.query(`INSERT INTO folder (id, org, name) VALUES ('1', 'a', $1)`, ['x'.repeat(LIMITS.mutationChars)]),
    ).rejects.toThrow('one transaction may write')
    await replica.db.exec(many(LIMITS.mutationRows))
    const large = replica.outbox.runTransaction(async (tx) => {
      await tx.query(`UPDATE note SET title = $1 || id`, ['x'.repeat(LIMITS.mutationChars / LIMITS.mutationRows)])
    })
    await expect(large).rejects.toMatchObject({ kind: 'limit-exceeded' })
    expect(await replica.states()).toEqual({ 1: 'pending' })
  })

  test('OUT-20 statuses stand in a view, and survive a rebuild of nothing', async () => {
    const replica = await replicaWith()
    const { id, result } = await replica.outbox.runTransaction(async (tx) => {
      await tx.exec(`INSERT INTO note (id, org) VALUES ('1', 'a')`)
      return 'done'
    })
    expect({ id, result }).toEqual({ id: 'client-of-this-test:1', result: 'done' })
    expect(await replica.outbox.runTransaction(async () => 1)).toEqual({ id: null, result: 1 })
    await replica.db.exec(`INSERT INTO note (id, org) VALUES ('2', 'a')`)
    await replica.send(1)
    expect(await replica.rows('tidemark.mutation_status', 'id, status, kind, effective')).toEqual([
      { id: expect.stringContaining(':1'), status: 'sent', kind: 'patch', effective: true },
      { id: expect.stringContaining(':2'), status: 'pending', kind: 'patch', effective: true },
    ])
  })
})
