import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { HistoryRefused, type Replica } from '../client/index.ts'
import { openReplicaOn } from '../client/open-replica.ts'
import { openPreparedDatabase } from '../testing/replica/prepared-database.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'
import { until } from '../testing/system/until.ts'
import { sync } from '../testing/writing/sync.ts'
import type { Database } from '../workers/database/index.ts'

const app = {
  sync,
  syncModule: new URL('../testing/writing/sync.ts', import.meta.url),
  actionsModule: new URL('../testing/writing/server-actions.ts', import.meta.url),
  migrations: new URL('../testing/writing/migrations/', import.meta.url),
}

type Writer = Replica<typeof sync>

const refusal = (reason: string, rows: unknown[] = []) =>
  expect.objectContaining({ name: 'HistoryRefused', reason, rows: expect.arrayContaining(rows) })

describe('history in a replica, through workerd and Postgres', () => {
  let system: System
  let database: Database

  beforeAll(async () => {
    system = await startSystem({ app, workerOptions: { history: true } })
    database = await system.openDatabase()
  })
  afterAll(async () => {
    await database?.close()
    await system?.dispose()
  })

  async function open(user: string, board: string): Promise<Writer> {
    const token = () => system.token({ userId: user, audiences: [`board:${board}`] })
    const options = { url: system.url, user, token, sync, storage: 'memory://' }
    const replica = await openReplicaOn<typeof sync>(options, openPreparedDatabase)
    onTestFinished(() => replica.close())
    await replica.ready
    return replica
  }
  async function write(replica: Writer, ...statements: string[]): Promise<string> {
    const { id, confirmed } = await replica.transaction(async (tx) => {
      for (const statement of statements) await tx.exec(statement)
    })
    await confirmed
    return id ?? ''
  }
  const noteOf = async (id: string) => (await database.query('SELECT * FROM public.note WHERE id = $1', [id]))[0]
  const titleIn = async (replica: Writer, id: string) =>
    (await replica.db.query<{ title: string }>('SELECT title FROM note WHERE id = $1', [id])).rows[0]?.title
  /** Waits until a replica has all that the others wrote. */
  const settle = async (...replicas: Writer[]) => {
    for (const replica of replicas) await replica.settled()
  }

  it('HST-R8 an earlier version of a row comes back as a new mutation, also of a row that was deleted, and the feed tells it', async () => {
    const [ann, bob] = [await open('ann', 'r'), await open('bob', 'r')]
    await write(ann, `INSERT INTO note (id, board, title) VALUES ('r1', 'r', 'first')`)
    await settle(bob)
    await write(bob, `UPDATE note SET title = 'second', state = 'busy' WHERE id = 'r1'`)
    await write(bob, `UPDATE note SET body = 'more' WHERE id = 'r1'`)
    await settle(ann)
    const { changes } = await ann.history('note', 'r1')
    expect(changes.map(({ operation, user, data }) => [operation, user, data?.title])).toEqual([
      ['update', 'bob', undefined],
      ['update', 'bob', 'second'],
      ['insert', 'ann', 'first'],
    ])
    const [, second, first] = changes
    expect(await ann.rowAt('public.note', { id: 'r1' }, second?.lsn ?? '')).toMatchObject({ title: 'second', body: '' })
    expect(await ann.rowAt('note', 'r1', first?.at ?? '')).toMatchObject({ title: 'first', state: 'open' })
    const some = await ann.restore('note', 'r1', first?.lsn ?? '', { columns: ['state'] })
    expect(some.rows).toEqual([{ table: 'public.note', key: { id: 'r1' }, op: 'update', columns: ['state'] }])
    await some.confirmed
    expect(await noteOf('r1')).toMatchObject({ title: 'second', state: 'open', body: 'more' })
    const all = await ann.restore('note', 'r1', first?.lsn ?? '')
    await all.confirmed
    expect(await noteOf('r1')).toMatchObject({ title: 'first', state: 'open', body: '' })
    expect(await ann.restore('note', 'r1', first?.lsn ?? '')).toMatchObject({ id: null, rows: [] })
    await settle(bob)
    await write(bob, `DELETE FROM note WHERE id = 'r1'`)
    await settle(ann)
    const back = await ann.restore('note', 'r1', second?.lsn ?? '')
    expect(back.rows.map(({ op }) => op)).toEqual(['insert'])
    await back.confirmed
    await settle(bob)
    expect(await titleIn(bob, 'r1')).toBe('second')
    // It is an edit like any other: what the session did last is taken back by undo.
    await (await ann.undo())?.confirmed
    expect(await noteOf('r1')).toBeUndefined()
    const feed = await bob.activity({ limit: 3 })
    expect(
      feed.changes.map(({ operation, user, key, mutation }) => [operation, user, key.id, mutation !== null]),
    ).toEqual([
      ['delete', 'ann', 'r1', false],
      ['insert', 'ann', 'r1', false],
      ['delete', 'bob', 'r1', true],
    ])
    expect(feed.next).not.toBeNull()
  })

  it('HST-R9 a confirmed mutation is taken back whole, with what it touched, and not where others built on it', async () => {
    const [ann, bob] = [await open('ann', 'b'), await open('bob', 'b')]
    const values = (...ids: string[]) => ids.map((id) => `('${id}', 'b', 'first')`).join(', ')
    await write(ann, `INSERT INTO note (id, board, title) VALUES ${values('b1', 'b2')}`)
    await write(ann, `INSERT INTO comment (id, board, note_id, body) VALUES ('c1', 'b', 'b2', 'on b2')`)
    const id = await write(
      ann,
      `UPDATE note SET title = 'second' WHERE id = 'b1'`,
      `INSERT INTO note (id, board, title) VALUES ${values('b3')}`,
      `DELETE FROM note WHERE id = 'b2'`,
    )
    await settle(bob)
    await write(bob, `UPDATE note SET body = 'of another field' WHERE id = 'b1'`)
    await settle(ann)
    await expect(bob.rollback(id)).rejects.toMatchObject({ kind: 'not-found' })
    const { rows, confirmed } = await ann.rollback(id)
    expect(rows.toSorted((a, b) => `${a.table}${a.key.id}`.localeCompare(`${b.table}${b.key.id}`))).toEqual([
      { table: 'public.comment', key: { id: 'c1' }, op: 'insert', columns: [] },
      { table: 'public.note', key: { id: 'b1' }, op: 'update', columns: ['title'] },
      { table: 'public.note', key: { id: 'b2' }, op: 'insert', columns: [] },
      { table: 'public.note', key: { id: 'b3' }, op: 'delete', columns: [] },
    ])
    await confirmed
    expect(await noteOf('b1')).toMatchObject({ title: 'first', body: 'of another field' })
    expect([await noteOf('b2'), await noteOf('b3')]).toMatchObject([{ title: 'first' }, undefined])
    const made = await write(ann, `INSERT INTO note (id, board, title) VALUES ${values('b4')}`)
    const changed = await write(ann, `UPDATE note SET title = 'mine', state = 'busy' WHERE id = 'b1'`)
    await settle(bob)
    await write(bob, `INSERT INTO comment (id, board, note_id, body) VALUES ('c4', 'b', 'b4', 'on it')`)
    await write(bob, `UPDATE note SET title = 'later' WHERE id = 'b1'`)
    await settle(ann)
    await expect(ann.rollback(made)).rejects.toEqual(
      refusal('built-on', [{ table: 'public.comment', key: { id: 'c4' }, columns: ['note_id'] }]),
    )
    await expect(ann.rollback(changed)).rejects.toEqual(
      refusal('changed', [{ table: 'public.note', key: { id: 'b1' }, columns: ['title'] }]),
    )
    expect(await noteOf('b1')).toMatchObject({ title: 'later', state: 'busy' })
    const refused = await ann.actions.close({ id: 'b1' })
    await expect(refused.confirmed).rejects.toThrow()
    await until(() => ann.failures.length === 1)
    await expect(ann.rollback(refused.id)).rejects.toEqual(refusal('unconfirmed'))
  })

  it('HST-R10 what cannot be brought back is refused by name, and nothing is written', async () => {
    const ann = await open('ann', 'x')
    await write(ann, `INSERT INTO note (id, board, title) VALUES ('x0', 'x', 'before')`)
    const before = (await ann.activity({ limit: 1 })).changes[0]?.lsn ?? ''
    await write(ann, `INSERT INTO note (id, board, title) VALUES ('x1', 'x', 'first')`)
    await expect(ann.restore('note', 'x1', before)).rejects.toBeInstanceOf(HistoryRefused)
    await expect(ann.restore('note', 'x1', before)).rejects.toEqual(refusal('absent'))
    await expect(ann.restore('note', 'x1', new Date('2001-01-01'))).rejects.toMatchObject({
      kind: 'bad-input',
      message: expect.stringContaining('History reaches back to'),
    })
    for (const call of [
      ann.restore('nothing', 'x1', before),
      ann.restore('note', { other: 'x1' }, before),
      ann.restore('note', 'x1', before, { columns: ['other'] }),
    ])
      await expect(call).rejects.toMatchObject({ kind: 'bad-input' })
    expect(await (await open('eve', 'y')).history('note', 'x1')).toMatchObject({ changes: [], next: null })
    ann.goOffline()
    await until(() => ann.status.phase === 'offline')
    for (const call of [
      ann.history('note', 'x1'),
      ann.activity(),
      ann.restore('note', 'x1', before),
      ann.rollback('a:1'),
    ])
      await expect(call).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('offline') })
    expect(ann.status).toMatchObject({ pending: 0, failed: 0 })
  })
})
