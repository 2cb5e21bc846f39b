import { afterEach, describe, expect, it } from 'vitest'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import { itemId, itemOf, todoSync } from '../../testing/replica/todo-sync.ts'
import { openTestReplicaOn, type TestReplica, type TestReplicaOptions } from './open-test-replica.ts'

const open: TestReplica<typeof todoSync>[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function start(options: TestReplicaOptions<typeof todoSync> = {}) {
  const opened = await openTestReplicaOn(todoSync, { audiences: ['org:a'], ...options }, openPreparedDatabase)
  open.push(opened)
  return opened
}

const titles = async ({ replica }: TestReplica<typeof todoSync>) =>
  (await replica.db.query<{ title: string }>('SELECT title FROM item ORDER BY title')).rows.map(({ title }) => title)

describe('TST-R1 a replica without a server', () => {
  it('TST-R1 is ready at once, with the given rows, their defaults, and what a server counts', async () => {
    const { replica } = await start({ rows: { item: [itemOf(1), itemOf(2, { urgency: 'high', done: true })] } })
    expect(replica.status.ready).toBe(true)
    const { rows } = await replica.db.query('SELECT id, done, rank, urgency, number FROM item ORDER BY number')
    expect(rows).toEqual([
      { id: itemId(1), done: false, rank: 1, urgency: 'low', number: 1 },
      { id: itemId(2), done: true, rank: 1, urgency: 'high', number: 2 },
    ])
  })

  it('TST-R1 confirms what is written by itself, SQL and actions, with the numbers that the server gives', async () => {
    const { replica, confirmAll } = await start({ rows: { item: [itemOf(1)] } })
    const { confirmed } = await replica.transaction((tx) =>
      tx.query(`INSERT INTO item (id, org, title) VALUES ($1, 'a', 'mine')`, [itemId(2)]),
    )
    await confirmed
    await (await replica.actions.finish({ id: itemId(1) })).confirmed
    await confirmAll()
    const { rows } = await replica.db.query('SELECT title, done, number FROM item ORDER BY title')
    expect(rows).toEqual([
      { title: 'item 1', done: true, number: 1 },
      { title: 'mine', done: false, number: 2 },
    ])
    await expect(replica.actions.finish({ id: itemId(1) })).rejects.toThrow('It is done already.')
  })

  it('TST-R1 holds what is written until it is told, and refuses one by its id, so that the outbox undoes it', async () => {
    const opened = await start({ rows: { item: [itemOf(1), itemOf(2)] }, confirm: 'manually' })
    const { replica } = opened
    const first = await replica.transaction((tx) =>
      tx.query(`UPDATE item SET title = 'kept' WHERE id = $1`, [itemId(1)]),
    )
    const second = await replica.transaction((tx) =>
      tx.query(`UPDATE item SET title = 'not' WHERE id = $1`, [itemId(2)]),
    )
    expect(await titles(opened)).toEqual(['kept', 'not'])
    await opened.reject(second.id ?? '', { kind: 'forbidden' })
    await first.confirmed
    await expect(second.confirmed).rejects.toThrow('Refused by the test: forbidden.')
    expect(await titles(opened)).toEqual(['item 2', 'kept'])
    expect(replica.failures.map(({ id, rejection }) => [id, rejection.kind])).toEqual([[second.id, 'forbidden']])
    await replica.failures[0]?.retry()
    await opened.confirmAll()
    expect(await titles(opened)).toEqual(['kept', 'not'])
    await expect(opened.reject(first.id ?? '', { kind: 'forbidden' })).rejects.toMatchObject({ kind: 'bad-input' })
  })

  it('TST-R1 brings what others write under work that waits, and tells a conflict of one field', async () => {
    const opened = await start({ rows: { item: [itemOf(1), itemOf(2)] }, confirm: 'manually' })
    const { replica } = opened
    const mine = await replica.transaction((tx) =>
      tx.query(`UPDATE item SET title = 'mine' WHERE id = $1`, [itemId(1)]),
    )
    await opened.serverWrites({ item: [{ id: itemId(1), rank: 7 }, itemOf(3)] })
    const row = () => replica.db.query('SELECT title, rank FROM item WHERE id = $1', [itemId(1)])
    expect((await row()).rows).toEqual([{ title: 'mine', rank: 7 }])
    await opened.serverWrites({ item: [{ id: itemId(1), title: 'theirs' }] })
    await opened.confirmAll()
    await expect(mine.confirmed).rejects.toMatchObject({ rejection: { kind: 'conflict', columns: ['title'] } })
    expect((await row()).rows).toEqual([{ title: 'theirs', rank: 7 }])
    await opened.serverDeletes({ item: [{ id: itemId(2) }] })
    expect(await titles(opened)).toEqual(['item 3', 'theirs'])
  })

  it('TST-R1 goes offline and back as any other, and loses nothing of what was written meanwhile', async () => {
    const opened = await start({ rows: { item: [itemOf(1)] } })
    const { replica } = opened
    replica.goOffline()
    const written = await replica.transaction((tx) =>
      tx.query(`UPDATE item SET title = 'off' WHERE id = $1`, [itemId(1)]),
    )
    await expect(opened.confirmAll()).rejects.toMatchObject({ kind: 'unavailable' })
    replica.goOnline()
    await written.confirmed
    expect(await titles(opened)).toEqual(['off'])
  })

  it('TST-R1 refuses rows that do not fit the definition, or that the user does not see', async () => {
    const opened = await start({ rows: { item: [itemOf(1)] } })
    await expect(opened.serverWrites({ item: [itemOf(2, { org: 'b' })] })).rejects.toMatchObject({ kind: 'bad-input' })
    await expect(opened.serverWrites({ item: [{ org: 'a' }] })).rejects.toThrow('needs a value for title')
    const wrong = { item: [{ nothing: 1 }] } as never
    await expect(opened.serverWrites(wrong)).rejects.toThrow('has no column nothing')
  })
})
