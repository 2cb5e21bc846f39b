import type { LiveQueryResults } from '@electric-sql/pglite/live'
import { eq, sql } from 'drizzle-orm'
import { integer, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pglite'
import { relations } from 'drizzle-orm/relations'
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import {
  everythingShown,
  type LiveDatabase,
  openLiveDatabase,
  runsOf,
  shown,
} from '../../testing/live/live-database.ts'
import type { LiveStore } from './live-rows.ts'

const owner = pgTable('owner', { id: integer('id').primaryKey(), name: text('name') })
const task = pgTable('task', {
  id: integer('id').primaryKey(),
  key: uuid('key').notNull(),
  title: text('title'),
  madeAt: timestamp('made_at', { withTimezone: true }).notNull(),
  ownerId: integer('owner_id'),
})
const taskRelations = relations(task, ({ one }) => ({
  owner: one(owner, { fields: [task.ownerId], references: [owner.id] }),
}))
const MADE = new Date('2026-11-30T00:00:00Z')
const KEY = '00000000-0000-4000-8000-000000000001'

let live: LiveDatabase

beforeAll(async () => {
  live = await openLiveDatabase()
  await live.db.exec(`CREATE TABLE owner (id int PRIMARY KEY, name text);
    CREATE TABLE task (id int PRIMARY KEY, key uuid NOT NULL DEFAULT '${KEY}', title text, made_at timestamptz NOT NULL DEFAULT '${MADE.toISOString()}', owner_id int)`)
})
beforeEach(async () => {
  await live.db.exec(`DELETE FROM task; DELETE FROM owner; INSERT INTO owner VALUES (1, 'ann');
    INSERT INTO task (id, title, owner_id) VALUES (1, 'one', 1), (2, 'two', NULL)`)
})
afterAll(async () => {
  await live.stop()
  await live.db.close()
})

async function watch<Row>(store: LiveStore<Row>) {
  const end = store.subscribe(() => undefined)
  const rows = await shown(store)
  return { store, rows, end }
}

describe('stores', () => {
  test('LIV-R7 snapshots stay, and rows that did not change are the same objects', async () => {
    const store = live.live<{ id: number }>('SELECT * FROM task ORDER BY id')
    expect(store.getSnapshot()).toEqual({ rows: null, error: null, runs: 0 })
    expect(store.getSnapshot()).toBe(store.getSnapshot())
    let calls = 0
    const end = store.subscribe(() => {
      calls += 1
    })
    const before = await shown(store)
    expect(before[0]).toEqual({ id: 1, key: KEY, title: 'one', made_at: MADE, owner_id: 1 })
    await live.db.exec(`INSERT INTO task (id, title) VALUES (0, 'first'); UPDATE task SET title = 'zwei' WHERE id = 2`)
    const after = await shown(store, (rows) => rows.length === 3)
    expect(after[1]).toBe(before[0])
    expect(after[2]).not.toBe(before[1])
    const snapshot = store.getSnapshot()
    const seen = calls
    await live.db.exec(`UPDATE task SET title = title; DELETE FROM task WHERE id = 99`)
    await everythingShown(live)
    expect(store.getSnapshot()).toBe(snapshot)
    expect(calls).toBe(seen)
    end()
  })

  test('LIV-R7 equal queries are one store; one that is subscribed to again at once runs no second time', async () => {
    const query = { sql: 'SELECT title FROM task WHERE id = $1', params: [1] }
    expect(live.live(query)).toBe(live.live({ ...query, params: [1] }))
    expect(live.live(query)).not.toBe(live.live({ ...query, params: ['1'] }))
    const { store, end } = await watch(live.live(query))
    const snapshot = store.getSnapshot()
    end()
    end()
    const again = store.subscribe(() => undefined)
    expect(store.getSnapshot()).toBe(snapshot)
    await everythingShown(live)
    expect(runsOf(live, query.sql)).toBe(1)
    again()
    await expect.poll(() => runsOf(live, query.sql), { timeout: 20_000 }).toBe(0)
    expect(store.getSnapshot().rows).toBeNull()
  })

  test('LIV-R7 a store shows the error of a query that is wrong, and the rows once it is right', async () => {
    const store = live.live('SELECT id FROM late')
    const end = store.subscribe(() => undefined)
    await expect(shown(store)).rejects.toMatchObject({ code: '42P01' })
    await live.db.exec('CREATE TABLE late (id int); INSERT INTO late VALUES (4)')
    await everythingShown(live)
    expect(store.getSnapshot()).toMatchObject({ rows: [{ id: 4 }], error: null })
    end()
  })
})

describe('drizzle', () => {
  const db = () => drizzle(live.db, { schema: { task, owner, taskRelations } })

  test('LIV-R7 rows of a drizzle query are typed and made as drizzle makes them', async () => {
    const store = live.live(db().select().from(task).where(eq(task.id, 1)))
    expectTypeOf(store.getSnapshot().rows).toEqualTypeOf<readonly (typeof task.$inferSelect)[] | null>()
    const { rows, end } = await watch(store)
    expect(rows).toEqual([{ id: 1, key: KEY, title: 'one', madeAt: MADE, ownerId: 1 }])
    expect(rows).toEqual(await db().select().from(task).where(eq(task.id, 1)))
    await live.db.exec(`UPDATE task SET title = 'uno' WHERE id = 1`)
    await shown(store, ([row]) => row?.title === 'uno')
    end()
  })

  test('LIV-R7 joins, own names, aggregates and relations of drizzle', async () => {
    const joined = live.live(db().select().from(task).leftJoin(owner, eq(owner.id, task.ownerId)).orderBy(task.id))
    const one = await watch(joined)
    expect(one.rows).toEqual([
      { task: expect.objectContaining({ id: 1 }), owner: { id: 1, name: 'ann' } },
      { task: expect.objectContaining({ id: 2 }), owner: null },
    ])
    const counted = live.live(
      db()
        .select({ n: sql<number>`count(*)`.mapWith(Number) })
        .from(task),
    )
    expectTypeOf(counted.getSnapshot().rows).toEqualTypeOf<readonly { n: number }[] | null>()
    const two = await watch(counted)
    expect(two.rows).toEqual([{ n: 2 }])
    const related = live.live(db().query.task.findMany({ with: { owner: true }, orderBy: task.id }))
    const three = await watch(related)
    expect(three.rows).toEqual(await db().query.task.findMany({ with: { owner: true }, orderBy: task.id }))
    const first = live.live(db().query.task.findFirst({ where: eq(task.id, 2) }))
    expectTypeOf(first.getSnapshot().rows).toEqualTypeOf<readonly (typeof task.$inferSelect)[] | null>()
    const four = await watch(first)
    expect(four.rows).toEqual([expect.objectContaining({ id: 2, madeAt: MADE })])
    await live.db.exec('DELETE FROM task WHERE id = 2')
    await everythingShown(live)
    expect(joined.getSnapshot().rows).toHaveLength(1)
    expect(joined.getSnapshot().rows?.[0]).toBe(one.rows[0])
    expect(counted.getSnapshot().rows).toEqual([{ n: 1 }])
    expect(first.getSnapshot().rows).toEqual([])
    for (const { end } of [one, two, three, four]) end()
  })

  test('LIV-R7 a drizzle query that is made anew is the same store, and one with other names is another', async () => {
    const named = () => live.live(db().select({ name: task.title }).from(task))
    expect(named()).toBe(named())
    expect(live.live(db().select({ title: task.title }).from(task))).not.toBe(named())
    const counting = () =>
      live.live(
        db()
          .select({ n: sql`count(*)`.mapWith(Number) })
          .from(task),
      )
    expect(counting()).toBe(counting())
    expect(() => live.live({ toSQL: () => ({ sql: 'SELECT 1', params: [] }) } as never)).toThrow(/drizzle/)
  })
})

describe('the namespace of PGlite', () => {
  test('LIV-R9 query calls back with rows and fields, refreshes, and ends', async () => {
    const seen: unknown[] = []
    const query = await live.db.live.query<{ id: number }>('SELECT id FROM task ORDER BY id', [], ({ rows }) => {
      seen.push(rows.map(({ id }) => id))
    })
    expect(query.initialResults).toMatchObject({
      rows: [{ id: 1 }, { id: 2 }],
      fields: [{ name: 'id', dataTypeID: 23 }],
    })
    await live.db.exec('DELETE FROM task WHERE id = 1')
    await everythingShown(live)
    await query.refresh()
    expect(seen).toEqual([[1, 2], [2], [2]])
    await query.unsubscribe()
    await live.db.exec('DELETE FROM task')
    await everythingShown(live)
    expect(seen).toHaveLength(3)
  })

  test('LIV-R9 a signal ends a query, and a window of it moves', async () => {
    const ending = new AbortController()
    const totals: unknown[] = []
    const query = await live.db.live.query<{ id: number }>({
      query: 'SELECT id FROM task ORDER BY id; ',
      offset: 1,
      limit: 1,
      signal: ending.signal,
      callback: ({ rows, totalCount }: LiveQueryResults<{ id: number }>) => totals.push([rows[0]?.id, totalCount]),
    })
    expect(query.initialResults).toMatchObject({ rows: [{ id: 2 }], offset: 1, limit: 1, totalCount: 2 })
    await query.refresh({ offset: 0 })
    expect(totals).toEqual([
      [2, 2],
      [1, 2],
    ])
    ending.abort()
    await live.db.exec('DELETE FROM task')
    await everythingShown(live)
    expect(totals).toHaveLength(2)
    await expect(live.db.live.query({ query: 'SELECT 1', limit: 5 })).rejects.toMatchObject({ kind: 'bad-input' })
  })

  test('LIV-R9 changes and incrementalQuery go by a key', async () => {
    const seen: unknown[][] = []
    const changes = await live.db.live.changes('SELECT id, title FROM task ORDER BY id', [], 'id', (some) => {
      seen.push(some)
    })
    await live.db.exec(`UPDATE task SET title = 'zwei' WHERE id = 2`)
    await everythingShown(live)
    expect(seen[0]).toMatchObject([
      { __op__: 'INSERT', id: 1, __after__: null },
      { __op__: 'INSERT', id: 2, __after__: 1 },
    ])
    expect(seen[1]).toEqual([
      { __op__: 'UPDATE', id: 2, title: 'zwei', __after__: null, __changed_columns__: ['title'] },
    ])
    await changes.unsubscribe()
    const query = await live.db.live.incrementalQuery('SELECT id FROM task ORDER BY id', [], 'id')
    expect(query.initialResults.rows).toEqual([{ id: 1 }, { id: 2 }])
    await query.unsubscribe()
    await expect(live.db.live.changes('SELECT 1 AS id', [], '')).rejects.toMatchObject({ kind: 'bad-input' })
    await expect(live.db.live.changes('SELECT 1 AS id', [], 'other')).rejects.toThrow(/no column other/)
  })
})
