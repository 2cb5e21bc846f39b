import { integer, pgSchema, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { captureBounded } from '../../testing/capture/bounded-capture.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { columnsOf, EXACT, MOOD, NUMBERS, namesOf, rowsOf } from '../../testing/values/every-type.ts'
import { SQL_STATE, sqlStateOf } from '../database/index.ts'

const everyone = { audience: 'all' } as const

/** Half of a Durable Object's memory; the 300,000 rows as objects would take several times that. */
const HEAP_MB = 64

describe.each(captureCases)('$decoder on $server', ({ decoder, server, numbers }) => {
  const columns = numbers ? [...EXACT, ...NUMBERS] : EXACT
  let harness: CaptureHarness
  afterEach(() => harness.close())

  test('CAP-10 CAP-12 CAP-R23 every value is the text a snapshot reads, whatever the database is set to', async () => {
    const schema = `
      ${MOOD}
      --> statement-breakpoint
      CREATE TABLE value (id int PRIMARY KEY, ${columns.join(', ')})`
    harness = await startCapture(
      serverNamed(server),
      decoder,
      schema,
      defineSync({
        tables: { value: table(pgTable('value', { id: integer('id').primaryKey(), ...columnsOf(columns) }), everyone) },
      }),
    )
    for (const [setting, value] of [
      ['TimeZone', 'Asia/Kathmandu'],
      ['DateStyle', 'German, DMY'],
      ['IntervalStyle', 'iso_8601'],
      ['bytea_output', 'escape'],
      ['extra_float_digits', '-5'],
    ]) {
      await harness.query(`ALTER DATABASE ${harness.database.name} SET ${setting} = '${value}'`)
    }
    const used = namesOf(columns)
    for (const [index, values] of rowsOf(columns).entries()) {
      await harness.query(
        `INSERT INTO value VALUES (${index}, ${used.map((_, at) => `$${at + 1}`).join(', ')})`,
        values,
      )
    }
    const reader = await harness.database.open()
    await harness.drain(reader)
    const stored = await reader.query(`SELECT id::text, ${used.join(', ')} FROM public.value ORDER BY id`)
    await reader.close()
    expect((await harness.history()).map(({ data }) => data)).toEqual(stored)
    expect(stored[0]?.big).toBe('9223372036854775807')
  })

  test('CAP-13 mixed-case, reserved, dotted and prototype names, and twins in two schemas', async () => {
    const twin = pgSchema('other.schema').table('Select, "from"', {
      id: integer('user').primaryKey(),
      proto: text('__proto__'),
    })
    const plain = pgTable('Select, "from"', {
      id: integer('user').primaryKey(),
      proto: text('__proto__'),
      constructor: text('constructor'),
    })
    const schema = `
      CREATE SCHEMA "other.schema"
      --> statement-breakpoint
      CREATE TABLE "other.schema"."Select, ""from""" ("user" int PRIMARY KEY, "__proto__" text)
      --> statement-breakpoint
      CREATE TABLE "Select, ""from""" ("user" int PRIMARY KEY, "__proto__" text, "constructor" text)`
    harness = await startCapture(
      serverNamed(server),
      decoder,
      schema,
      defineSync({ tables: { twin: table(twin, everyone), plain: table(plain, everyone) } }),
    )
    await harness.run(
      `INSERT INTO "other.schema"."Select, ""from""" VALUES (1, 'a');\nINSERT INTO "Select, ""from""" VALUES (1, 'b', 'c')`,
    )
    await harness.drain()
    const entries = await harness.history()
    expect(entries.map(({ table: name }) => name)).toEqual([
      '"other.schema"."Select, ""from"""',
      'public."Select, ""from"""',
    ])
    expect(entries.map(({ data }) => Object.entries(data ?? {}))).toEqual(
      [
        [
          ['user', '1'],
          ['__proto__', 'a'],
        ],
        [
          ['user', '1'],
          ['__proto__', 'b'],
          ['constructor', 'c'],
        ],
      ].map((pairs) => expect.arrayContaining(pairs)),
    )
  })

  test('CAP-18 generated columns do not travel; partitions map to their root', async () => {
    const row = pgTable('row', { id: integer('id').primaryKey(), doubled: integer('doubled') })
    const part = pgTable('part', { id: integer('id').primaryKey(), word: text('word') })
    const schema = `
      CREATE TABLE "row" (id int PRIMARY KEY, doubled int GENERATED ALWAYS AS (id * 2) STORED)
      --> statement-breakpoint
      CREATE TABLE part (id int PRIMARY KEY, word text) PARTITION BY RANGE (id)
      --> statement-breakpoint
      CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (10)
      --> statement-breakpoint
      CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (10) TO (20)`
    const tables = { row: table(row, everyone), part: table(part, everyone) }
    if (decoder === 'wal2json') {
      await expect(startCapture(serverNamed(server), decoder, schema, defineSync({ tables }))).rejects.toMatchObject({
        kind: 'misconfigured',
        message: expect.stringContaining("'auto' or 'pgoutput'"),
      })
      harness = await startCapture(serverNamed(server), 'auto', schema, defineSync({ tables }))
      expect(harness.capture.state?.epoch.decoder).toBe('pgoutput')
    } else {
      harness = await startCapture(serverNamed(server), decoder, schema, defineSync({ tables }))
    }
    await harness.run(
      `INSERT INTO "row" VALUES (1);\nINSERT INTO part VALUES (1, 'a');\nUPDATE part SET id = 11;\nDELETE FROM part`,
    )
    await harness.drain()
    expect((await harness.history()).map(({ table: name, operation, data }) => [name, operation, data])).toEqual(
      [
        ['public."row"', 'insert', { id: '1' }],
        ['public.part', 'insert', { id: '1', word: 'a' }],
        ['public.part', 'delete', null],
        ['public.part', 'insert', { id: '11', word: 'a' }],
        ['public.part', 'delete', null],
      ].map(([name, operation, data]) => [
        name === 'public."row"' ? expect.stringMatching(/^public\."?row"?$/) : name,
        operation,
        data,
      ]),
    )
  })
})

/** pgoutput needs the same on every server, so one is enough for it. */
const LARGE_CASES = captureCases.filter(({ decoder, server }) => decoder === 'wal2json' || server === 'embedded')

describe.each(LARGE_CASES)('a large transaction by $decoder on $server', ({ decoder, server }) => {
  let harness: CaptureHarness
  afterEach(() => harness.close())

  test('CAP-03 CAP-24 CAP-28 CAP-R24 300,000 rows of one transaction and a value above 2 MB, with the slot in use elsewhere', async () => {
    const big = pgTable('big', { id: integer('id').primaryKey(), word: text('word') })
    const schema = 'CREATE TABLE big (id int PRIMARY KEY, word text)'
    harness = await startCapture(
      serverNamed(server),
      decoder,
      schema,
      defineSync({ tables: { big: table(big, everyone) } }),
    )
    await harness.run(`INSERT INTO big SELECT g, 'word ' || g FROM generate_series(1, 300000) g`)
    await harness.run(`INSERT INTO big VALUES (0, repeat('x', 3000000))`)
    const other = await harness.database.open()
    const options =
      decoder === 'wal2json' ? `'format-version', '2'` : `'proto_version', '1', 'publication_names', 'tidemark'`
    const peek = decoder === 'wal2json' ? 'pg_logical_slot_peek_changes' : 'pg_logical_slot_peek_binary_changes'
    const reading = other.query(`SELECT count(*) FROM ${peek}($1, NULL, NULL, ${options})`, [harness.settings.slotName])
    const isActive = async () =>
      (
        await harness.query('SELECT active::text FROM pg_replication_slots WHERE slot_name = $1', [
          harness.settings.slotName,
        ])
      )[0]?.active
    while ((await isActive()) !== 'true');
    const refused = await harness.cycle().catch((error: unknown) => error)
    expect(sqlStateOf(refused)).toBe(SQL_STATE.objectInUse)
    await reading
    await other.close()
    const { memory, traffic, dropped, externalBytes } = await captureBounded(harness, HEAP_MB)
    harness.memory = memory
    expect(externalBytes).toBeLessThan(HEAP_MB * 1024 * 1024)
    const [row] = await harness.query(
      `SELECT count(*)::text AS rows, count(DISTINCT lsn)::text AS lsns, max(seq)::text AS last, max(length(data ->> 'word'))::text AS longest FROM tidemark.change_history`,
    )
    expect(row).toEqual({ rows: '300001', lsns: '2', last: '299999', longest: '3000000' })
    // No more than a few pages are held, whatever the size of the transaction.
    expect(traffic.mostRead).toBeGreaterThan(100)
    expect(traffic.mostRead).toBeLessThanOrEqual(10_000)
    expect(traffic.mostStored).toBeGreaterThan(100)
    expect(traffic.mostStored).toBeLessThanOrEqual(10_000)
    // The changes gathered for delivery were dropped, because the whole transaction is too large for one.
    expect(dropped).toBe(true)
    // A busy machine needs minutes for this test.
  }, 600_000)
})
