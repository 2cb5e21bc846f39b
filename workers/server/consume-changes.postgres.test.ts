import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { until } from '../../testing/system/until.ts'
import { pruneHistory } from '../replication/retention.ts'
import { readFigures } from '../replication/server-facts.ts'
import { type ConsumedChange, type ConsumeOptions, consumeChanges, removeConsumer } from './index.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org'), note: text('note') })
const tag = pgTable('tag', { id: integer('id').primaryKey(), org: text('org') })
const sync = defineSync({
  tables: {
    item: table(item, { audience: { column: item.org, prefix: 'org' } }),
    tag: table(tag, { audience: { column: tag.org, prefix: 'org' } }),
  },
})
const SCHEMA = `CREATE TABLE item (id int PRIMARY KEY, org text, note text)
  --> statement-breakpoint
  CREATE TABLE tag (id int PRIMARY KEY, org text)`
const DAY_MS = 86_400_000

let harness: CaptureHarness
beforeAll(async () => {
  harness = await startCapture(servers().embedded, 'pgoutput', SCHEMA, sync)
})
afterAll(() => harness.close())

const connect = () => new pg.Client({ connectionString: harness.database.url })
async function insert(...ids: number[]): Promise<void> {
  await harness.run(`INSERT INTO item VALUES ${ids.map((id) => `(${id}, 'a', 'x')`).join(', ')}`)
  await harness.drain()
}
const idsOf = (changes: readonly ConsumedChange[]) => changes.map(({ key }) => Number(key?.id))
/** Consumes what there is, and answers the ids of each call. */
async function consume(name: string, options: Partial<ConsumeOptions> = {}): Promise<number[][]> {
  const calls: number[][] = []
  await consumeChanges({ name, connect, handle: async (changes) => void calls.push(idsOf(changes)), ...options })
  return calls
}
const consumersOf = async () =>
  (await readFigures(harness.connection.query, harness.settings.slotName, Date.now, false)).consumers

it('CSM-R1 each change comes in order and at least once: again where it was not handled, and never once it was', async () => {
  await insert(1, 2, 3)
  expect(await consume('new')).toEqual([])
  expect(await consume('all', { from: 'beginning', most: 2 })).toEqual([[1, 2], [3]])
  await insert(4, 5)
  await harness.run(
    `UPDATE item SET note = 'y' WHERE id = 4;\nINSERT INTO tag VALUES (9, 'a');\nDELETE FROM item WHERE id = 5`,
  )
  await harness.drain()
  const seen: ConsumedChange[] = []
  const failing = consume('all', {
    most: 2,
    handle: async (changes) => {
      seen.push(...changes)
      if (seen.length > 2) throw new Error('cut')
    },
  })
  await expect(failing).rejects.toThrow('cut')
  expect(idsOf(seen)).toEqual([4, 5, 4, 9])
  expect(await consume('all')).toEqual([[4, 9, 5]])
  expect(await consume('all')).toEqual([])
  expect(await consume('new')).toEqual([[4, 5, 4, 9, 5]])
  expect(seen[2]).toMatchObject({ operation: 'update', data: { note: 'y' }, before: { note: 'x' }, audience: 'org:a' })
  expect(await consume('tags', { from: 'beginning', tables: ['public.tag'] })).toEqual([[9]])
  for (const wrong of [{ name: 'a b' }, { most: 0 }, { most: 1_001 }])
    await expect(consume('all', wrong)).rejects.toMatchObject({ kind: 'bad-input' })
})

it('CSM-R2 two runs of one name take turns, and one that goes on ends when it is told to', async () => {
  await insert(10)
  let resume = () => {}
  const held = new Promise<void>((resolve) => {
    resume = resolve
  })
  let isIn = false
  const first = consumeChanges({
    name: 'all',
    connect,
    handle: async () => {
      isIn = true
      await held
    },
  })
  await until(() => isIn)
  expect(await consumeChanges({ name: 'all', connect, handle: async () => {} })).toEqual({ changes: 0, isTaken: true })
  // One whose lease is over is overtaken, and moves the cursor no more.
  await harness.query(`UPDATE tidemark.consumer SET leased_until = now() - interval '1 second' WHERE name = 'all'`)
  expect(await consume('all')).toEqual([[10]])
  resume()
  expect(await first).toEqual({ changes: 1, isTaken: true })
  const ending = new AbortController()
  const calls: number[][] = []
  const following = consumeChanges({
    name: 'all',
    connect,
    signal: ending.signal,
    handle: async (changes) => void calls.push(idsOf(changes)),
  })
  await insert(11)
  await until(() => calls.flat().includes(11))
  await insert(12)
  await until(() => calls.flat().includes(12))
  ending.abort()
  expect(await following).toEqual({ changes: 2, isTaken: false })
})

it('CSM-R3 pruning stops at a cursor for a bounded time; beyond it, and in a new history, the consumer is told to begin anew', async () => {
  await consume('new')
  await removeConsumer({ name: 'tags', connect })
  await insert(20)
  await consume('all')
  await insert(21)
  const floor = async () => (await harness.query('SELECT floor_lsn::text AS lsn FROM tidemark.epoch'))[0]?.lsn
  const soon = new Date(Date.now() + DAY_MS).toISOString()
  expect(await pruneHistory(harness.connection, soon)).toBe(false)
  expect(await consume('new')).toEqual([[20, 21]])
  expect((await consumersOf()).map(({ name, isLost }) => [name, isLost])).toEqual([
    ['all', false],
    ['new', false],
  ])
  expect((await consumersOf())[0]?.lagMs).toBeGreaterThanOrEqual(0)
  const before = await floor()
  await pruneHistory(harness.connection, new Date(Date.now() + 8 * DAY_MS).toISOString())
  expect(await floor()).not.toBe(before)
  expect((await consumersOf()).find(({ name }) => name === 'all')).toMatchObject({ isLost: true })
  await expect(consume('all')).rejects.toMatchObject({
    kind: 'rehydrate-required',
    message: expect.stringContaining('pruned'),
  })
  const onLost = vi.fn(async () => insert(22))
  expect(await consume('all', { onLost })).toEqual([[22]])
  expect(onLost.mock.calls).toEqual([['pruned']])
  await insert(23)
  const [slot] = await harness.query('SELECT slot_name AS name FROM tidemark.epoch')
  await harness.query('SELECT pg_drop_replication_slot($1)', [slot?.name ?? ''])
  await harness.run(`INSERT INTO item VALUES (24, 'a', 'x')`)
  harness.restart()
  await harness.drain()
  await insert(25)
  // What was captured of the history before is told first.
  const told: (number[] | string)[] = []
  await consume('all', {
    handle: async (changes) => void told.push(idsOf(changes)),
    onLost: async (reason) => void told.push(reason),
  })
  expect(told).toEqual([[23], 'new-history'])
  await insert(26)
  expect(await consume('all')).toEqual([[26]])
})
