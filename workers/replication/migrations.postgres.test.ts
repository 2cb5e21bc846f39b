import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyDefinition } from '../../db/definition/apply-definition.ts'
import { readStart } from '../../db/definition/transaction-start.ts'
import { defineSync, table } from '../../db/index.ts'
import { migrationsAnswerSchema, parsePgLsn } from '../../protocol/index.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { KeptMigrations, readMigrations } from './migrations.ts'

const id = integer('id').primaryKey()
const forAll = { audience: 'all' } as const
const first = defineSync({ tables: { item: table(pgTable('item', { id }), forAll) } })
const second = defineSync({ tables: { item: table(pgTable('item', { id, name: text('name') }), forAll) } })
const SCHEMA = 'CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)'

describe.each(captureCases)('the versions of a history, $decoder on $server', ({ decoder, server }) => {
  let harness: CaptureHarness
  beforeEach(async () => {
    harness = await startCapture(serverNamed(server), decoder, SCHEMA, first)
    await harness.drain()
  })
  afterEach(() => harness.close())

  const migrate = (sync: typeof second | typeof first, statement: string) =>
    harness.connection.transaction(async ({ query }) => {
      const start = await readStart(query)
      await query(statement)
      return await applyDefinition(query, sync, { start })
    })
  async function read(from: number) {
    const [place] = await harness.query('SELECT id, head_lsn::text AS head FROM tidemark.epoch WHERE ended_at IS NULL')
    const [latest] = await harness.query('SELECT max(version)::text AS version FROM tidemark.sync_definition')
    const captured = { epoch: place?.id ?? '', head: parsePgLsn(place?.head ?? ''), version: Number(latest?.version) }
    return migrationsAnswerSchema.parse(await readMigrations(harness.connection.query, captured, from))
  }

  test('SCH-R8 each version at its commit, with its steps, once it is captured', async () => {
    const added = await migrate(second, `ALTER TABLE public.item ADD name text DEFAULT 'x'`)
    expect((await read(1)).versions).toEqual([])
    await harness.drain()
    const dropped = await migrate(first, 'ALTER TABLE public.item DROP name')
    await harness.drain()
    const told = (await harness.history()).filter(({ operation }) => operation === 'definition')
    const { epoch, versions } = await read(1)
    expect(versions).toEqual(
      [added, dropped].map(({ version, hash, definition, steps }, index) => ({
        version,
        hash,
        lsn: parsePgLsn(told[index]?.lsn ?? ''),
        definition,
        steps,
        names: [],
      })),
    )
    const item = { table: 'public.item', from: 'public.item' }
    const kept = { name: 'id', from: 'id' }
    expect(versions.map(({ steps }) => steps)).toEqual([
      [{ ...item, columns: [kept, { name: 'name', from: null, value: 'x' }] }],
      [{ ...item, columns: [kept] }],
    ])
    expect((await read(2)).versions).toEqual(versions.slice(1))
    expect(await read(3)).toEqual({ epoch, versions: [] })
  })

  test('SCH-R8 a version that nobody can read is left out, and another history tells nothing', async () => {
    await harness.query(`INSERT INTO tidemark.sync_definition (hash, definition) VALUES ('broken', '{}')`)
    await migrate(second, 'ALTER TABLE public.item ADD name text')
    await harness.drain()
    const { epoch, versions } = await read(1)
    expect(versions.map(({ version, steps }) => [version, steps.length])).toEqual([[3, 1]])
    await harness.query(`UPDATE tidemark.change_history SET epoch = 'ended'`)
    expect(await read(1)).toEqual({ epoch, versions: [] })
  })

  test('SCH-R8 more than an answer holds is refused: by number and by length', async () => {
    const copies = (from: number, to: number, more: string) => `
      WITH copied AS (
        INSERT INTO tidemark.sync_definition (version, hash, definition) OVERRIDING SYSTEM VALUE
        SELECT n, 'h', definition || jsonb_build_object('more', ${more}) FROM tidemark.sync_definition, generate_series(${from}, ${to}) n
        WHERE version = 1 RETURNING version)
      INSERT INTO tidemark.change_history (epoch, lsn, seq, transaction_id, xid, table_name, operation, data, schema_version, committed_at)
      SELECT e.id, e.start_lsn, version, '3'::xid8, '3', 'tidemark.sync_definition', 'definition', jsonb_build_object('version', version::text), version, now()
      FROM copied, tidemark.epoch e WHERE e.ended_at IS NULL`
    await harness.query(copies(2, 201, `''`))
    expect((await read(1)).versions).toHaveLength(200)
    await harness.query(copies(202, 202, `''`))
    await expect(read(1)).rejects.toMatchObject({ kind: 'limit-exceeded' })
    expect((await read(2)).versions).toHaveLength(200)
    await harness.query(copies(203, 204, `repeat('x', 3000000)`))
    await expect(read(201)).rejects.toMatchObject({ kind: 'limit-exceeded' })
    expect((await read(203)).versions).toHaveLength(1)
  })
})

test('SCH-R8 a question is asked once for a place, and again where it failed', async () => {
  const kept = new KeptMigrations()
  const place = { epoch: 'e', head: '0000000000000001' as never, version: 3 }
  let asked = 0
  const read = async () => {
    asked += 1
    if (asked === 1) throw new Error('away')
    return { epoch: `${asked}`, versions: [] }
  }
  await expect(kept.of(place, 1, read)).rejects.toThrow('away')
  expect(await Promise.all([kept.of(place, 1, read), kept.of(place, 1, read)])).toEqual([
    { epoch: '2', versions: [] },
    { epoch: '2', versions: [] },
  ])
  expect(await kept.of({ ...place, version: 4 }, 1, read)).toEqual({ epoch: '3', versions: [] })
})
