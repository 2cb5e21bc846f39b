import { type Collection, createCollection, createLiveQueryCollection, eq } from '@tanstack/db'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openPreparedDatabase } from '../../testing/replica/prepared-database.ts'
import { type item, itemId, itemOf, todoSync } from '../../testing/replica/todo-sync.ts'
import { openTestReplicaOn, type TestReplica } from '../testing/open-test-replica.ts'
import { tidemarkCollectionOptions } from './index.ts'

let server: TestReplica<typeof todoSync>
beforeAll(async () => {
  const rows = { item: [1, 2, 3, 4, 5].map((nth) => itemOf(nth)) }
  server = await openTestReplicaOn(todoSync, { rows, confirm: 'manually' }, openPreparedDatabase)
})
afterAll(() => server.close())

function itemsOf() {
  const { replica } = server
  const items = createCollection(
    tidemarkCollectionOptions({ replica, table: todoSync.tables.item.table, getKey: (row) => row.id }),
  )
  onTestFinished(() => items.cleanup())
  return items
}

const titleOf = (items: { get(key: string): { title: string } | undefined }, nth: number) =>
  items.get(itemId(nth))?.title

/** Every state that a row of a collection is shown in. */
function statesOf(items: Collection<typeof item.$inferSelect, string>, nth: number): (string | undefined)[] {
  const states = [titleOf(items, nth)]
  const following = items.subscribeChanges(() => {
    const title = titleOf(items, nth)
    if (states.at(-1) !== title) states.push(title)
  })
  onTestFinished(() => following.unsubscribe())
  return states
}

describe('TSD a TanStack DB collection', () => {
  it('TSD-R1 holds the rows of a table, typed, and follows what others write', async () => {
    const items = itemsOf()
    await items.preload()
    expect(items.size).toBe(5)
    expect(items.get(itemId(1))?.createdAt).toBeInstanceOf(Date)
    await server.serverWrites({ item: [{ id: itemId(1), title: 'theirs' }] })
    await expect.poll(() => titleOf(items, 1)).toBe('theirs')
    await server.serverDeletes({ item: [{ id: itemId(5) }] })
    await expect.poll(() => items.size).toBe(4)
  })

  it('TSD-R1 resolves once the outbox has a write, long before the server does, and never shows the row of before in between', async () => {
    const items = itemsOf()
    await items.preload()
    const states = statesOf(items, 2)
    for (const title of ['one', 'two', 'three']) {
      const change = items.update(itemId(2), (draft) => {
        draft.title = title
      })
      await change.isPersisted.promise
    }
    expect(states).toEqual(['item 2', 'one', 'two', 'three'])
    expect((await server.replica.mutations({ limit: 1 }))[0]?.status).toMatch(/^(pending|sent)$/)
    // Synced commits are not held back by what the server has not decided yet.
    await server.serverWrites({ item: [{ id: itemId(3), title: 'theirs' }] })
    await expect.poll(() => titleOf(items, 3)).toBe('theirs')
    await server.confirmAll()
    expect(states).toEqual(['item 2', 'one', 'two', 'three'])
  })

  it('TSD-R1 inserts and deletes in one mutation each, and takes back what the server refuses', async () => {
    const items = itemsOf()
    await items.preload()
    const made = { listId: null, done: false, rank: 1, urgency: 'low' as const, number: 0, createdAt: new Date() }
    const rows = [11, 12].map((nth) => ({ ...made, id: itemId(nth), org: 'a', title: `new ${nth}` }))
    await items.insert(rows).isPersisted.promise
    const [newest] = await server.replica.mutations({ limit: 1 })
    expect(newest?.writes.length).toBe(2)
    await server.confirmAll()
    await items.delete([itemId(11)]).isPersisted.promise
    expect(items.has(itemId(11))).toBe(false)
    const [deletion] = await server.replica.mutations({ limit: 1 })
    await server.reject(deletion?.id ?? '', { kind: 'forbidden' })
    await expect.poll(() => items.has(itemId(11))).toBe(true)
    await server.replica.failures[0]?.discard()
  })

  it('TSD-R1 rolls back what cannot be written here', async () => {
    const items = itemsOf()
    await items.preload()
    const change = items.update(itemId(4), (draft) => {
      draft.rank = 'no number' as never
    })
    await expect(change.isPersisted.promise).rejects.toThrow()
    expect(items.get(itemId(4))?.rank).toBe(1)
  })

  it('TSD-R2 passes values as parameters alone', async () => {
    const items = itemsOf()
    await items.preload()
    const title = `'); DROP TABLE item; --`
    await items.update(itemId(4), (draft) => {
      draft.title = title
      Object.assign(draft, { "title\" = 'x' --": 'a column that is none' })
    }).isPersisted.promise
    expect(titleOf(items, 4)).toBe(title)
    expect(items.get(itemId(4))).not.toHaveProperty("title\" = 'x' --")
    await server.confirmAll()
  })

  it('TSD-R3 holds the rows of a query, as a source of live queries of its own', async () => {
    const { replica } = server
    const ranked = createCollection(
      tidemarkCollectionOptions<{ id: string; title: string }, string>({
        replica,
        query: { sql: 'SELECT id, title FROM item WHERE rank < $1', params: [100] },
        getKey: ({ id }) => id,
      }),
    )
    const one = createLiveQueryCollection((query) =>
      query.from({ row: ranked }).where(({ row }) => eq(row.id, itemId(3))),
    )
    onTestFinished(() => one.cleanup().then(() => ranked.cleanup()))
    await one.preload()
    expect(one.toArray.map(({ title }) => title)).toEqual(['theirs'])
    await server.serverWrites({ item: [{ id: itemId(3), title: 'again' }] })
    await expect.poll(() => one.toArray.map(({ title }) => title)).toEqual(['again'])
    // A row that comes into the query is whole, though only one of its columns has changed.
    await server.serverWrites({ item: [{ id: itemId(3), rank: 100 }] })
    await expect.poll(() => one.size).toBe(0)
    await server.serverWrites({ item: [{ id: itemId(3), rank: 1 }] })
    await expect.poll(() => one.toArray.map(({ id, title }) => [id, title])).toEqual([[itemId(3), 'again']])
  })

  it('TSD-R3 tells the fault of a query that cannot be read', async () => {
    const broken = createCollection(
      tidemarkCollectionOptions<{ id: string }, string>({
        replica: server.replica,
        query: 'SELECT nothing FROM item',
        getKey: ({ id }) => id,
      }),
    )
    onTestFinished(() => broken.cleanup())
    await expect(broken.preload()).rejects.toThrow('column "nothing" does not exist')
  })
})
