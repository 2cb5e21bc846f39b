import { customType, integer, pgSchema, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { captureBounded } from '../../testing/capture/bounded-capture.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { SQL_STATE, sqlStateOf } from '../database/index.ts'

const any = (name: string) => customType<{ data: string }>({ dataType: () => 'text' })(name)
const everyone = { audience: 'all' } as const

const EXACT = [
  'big int8',
  'bytes bytea',
  'stamp timestamptz',
  'day date',
  'span interval',
  'mood public.mood',
  'range int4range',
  'nested text[]',
  'doc jsonb',
  'raw json',
  'flag bool',
  'word text',
  'code char(6)',
  'bits bit varying(9)',
  'id8 uuid',
  'net inet',
  'clock time',
]
const NUMBERS = ['long numeric', 'scaled numeric(30,10)', 'double float8', 'single float4']
const names = (columns: readonly string[]) => columns.map((column) => column.split(' ')[0] ?? '')
const valueTable = (columns: readonly string[]) =>
  pgTable('value', {
    id: integer('id').primaryKey(),
    ...Object.fromEntries(names(columns).map((name) => [name, any(name)])),
  })

const ROWS = [
  {
    big: '9223372036854775807',
    bytes: '\\xdeadbeef00',
    stamp: '0044-03-15 10:00:00.123456+00 BC',
    day: 'infinity',
    span: '1 year 2 mons -3 days 04:05:06.789',
    mood: 'so so',
    range: '[1,10)',
    nested: '{{a,"b \\"c\\""},{NULL,"NULL"}}',
    doc: '{"a": [1, null, "\\u00e9"]}',
    raw: '{ "b" :1 }',
    flag: 't',
    word: '',
    code: 'ab',
    bits: '10101',
    id8: '00000000-0000-4000-8000-000000000001',
    net: '10.0.0.1/8',
    clock: '23:59:59.999',
    long: '123456789012345678901234567890.12345678901234567890',
    scaled: '1.5',
    double: '0.1',
    single: '0.1',
  },
  {
    big: '-9223372036854775808',
    bytes: '\\x',
    stamp: '-infinity',
    day: '4713-01-01 BC',
    span: '-1 mons',
    mood: 'ok',
    range: 'empty',
    nested: '{}',
    doc: 'null',
    raw: 'null',
    flag: 'f',
    word: 'null',
    code: '',
    bits: '',
    id8: 'ffffffff-ffff-4fff-8fff-ffffffffffff',
    net: '::1',
    clock: '00:00:00',
    long: 'NaN',
    scaled: '-0.0000000001',
    double: 'NaN',
    single: 'Infinity',
  },
  {
    big: null,
    bytes: null,
    stamp: null,
    day: null,
    span: null,
    mood: null,
    range: null,
    nested: null,
    doc: null,
    raw: null,
    flag: null,
    word: null,
    code: null,
    bits: null,
    id8: null,
    net: null,
    clock: null,
    long: 'Infinity',
    scaled: null,
    double: '-Infinity',
    single: '1e-40',
  },
]

/** Half of a Durable Object's memory; the 300,000 rows as objects would take several times that. */
const HEAP_MB = 64

describe.each(captureCases)('$decoder on $server', ({ decoder, server, numbers }) => {
  const columns = numbers ? [...EXACT, ...NUMBERS] : EXACT
  let harness: CaptureHarness
  afterEach(() => harness.close())

  test('CAP-10 CAP-12 CAP-R23 every value is the text a snapshot reads, whatever the database is set to', async () => {
    const schema = `
      CREATE TYPE mood AS ENUM ('ok', 'so so')
      --> statement-breakpoint
      CREATE TABLE value (id int PRIMARY KEY, ${columns.join(', ')})`
    harness = await startCapture(
      serverNamed(server),
      decoder,
      schema,
      defineSync({ tables: { value: table(valueTable(columns), everyone) } }),
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
    const used = names(columns)
    for (const [index, row] of ROWS.entries()) {
      const values = used.map((name) => (row as Record<string, string | null>)[name] ?? null)
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
