import { bigint, boolean, date, integer, numeric, pgTable, text, timestamp, varchar } from 'drizzle-orm/pg-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { applyDefinition, defineSync, type Sync, table } from '../../db/index.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { Follower } from '../../testing/capture/follower.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { until } from '../../testing/system/until.ts'

const item = pgTable('item', {
  id: integer('id').primaryKey(),
  label: varchar('label'),
  price: numeric('price'),
  at: timestamp('at'),
  n: bigint('n', { mode: 'number' }),
  note: text('note').notNull(),
  a: integer('a'),
  b: integer('b'),
  m: text('m'),
})
const other = pgTable('other', { id: integer('id').primaryKey(), done: boolean('done') })
const others = { other: table(other, { audience: 'all' }) }
const sync = defineSync({ tables: { item: table(item, { audience: 'all' }), ...others } })
/** The price is hidden here, because numeric columns need a newer wal2json than the distribution's. */
const withoutPrice = defineSync({ tables: { item: table(item, { audience: 'all', hidden: ['price'] }), ...others } })
const SCHEMA = `
  CREATE TYPE mood AS ENUM ('low', 'high');
  CREATE DOMAIN score AS numeric(4,1);
  CREATE TABLE item (id int PRIMARY KEY, label varchar(10), price numeric(10,2), at timestamp(0), n int, note text NOT NULL, a int,
    b int GENERATED ALWAYS AS (a * 2) STORED, m mood);
  CREATE TABLE other (id int PRIMARY KEY, done boolean)
`
const PRECISION: [string, string, string, string, string][] = [
  ['a precision', 'ALTER TABLE item ALTER price TYPE numeric(12,4)', 'price', '1.2345', 'price as numeric'],
]

describe.each([
  { decoder: 'wal2json', server: 'system', sync: withoutPrice },
  { decoder: 'pgoutput', server: 'embedded', sync },
] as const)('$decoder on $server', ({ decoder, server, sync }) => {
  let harness: CaptureHarness
  let follower: Follower
  let epoch: string | undefined

  const currentEpoch = async () =>
    (await harness.query('SELECT id FROM tidemark.epoch WHERE ended_at IS NULL'))[0]?.id ?? undefined
  const version = async () =>
    (await harness.query('SELECT max(version)::text AS version FROM tidemark.sync_definition'))[0]?.version
  const start = async (schema: string, definition: Sync) => {
    harness = await startCapture(servers()[server], decoder, schema, definition)
    follower = new Follower(harness)
    epoch = await currentEpoch()
  }
  beforeEach(async () => {
    await start(SCHEMA, sync)
    await harness.run(
      `INSERT INTO item (id, label, price, at, n, note, a, m) VALUES (1, 'x', 1.25, '2026-01-01 00:00:00', 1, 'note', 1, 'low');\nINSERT INTO other VALUES (1, true)`,
    )
    expect((await follower.catchUp()).wrong).toEqual([])
  })
  afterEach(async () => {
    expect(await currentEpoch()).toBe(epoch)
    await harness.close()
  })

  const insert = (id: number, columns: string, values: string) =>
    harness.run(`INSERT INTO item (id, note, ${columns}) VALUES (${id}, 'note', ${values})`)
  /** Expects a halt with a message that says this, again after a restart, and nothing stored meanwhile. */
  const expectHalt = async (...said: (string | RegExp)[]) => {
    await harness.run(`INSERT INTO other SELECT max(id) + 1, true FROM other`)
    const before = (await harness.history()).length
    for (const restarted of [false, true]) {
      if (restarted) harness.restart()
      const halted = await harness.drain().then(
        () => null,
        (error: unknown) => error,
      )
      expect(halted).toMatchObject({ kind: 'schema-drift' })
      for (const part of said) expect((halted as Error).message).toMatch(part)
    }
    expect((await harness.history()).length).toBe(before)
  }
  const expectMended = async (...tables: string[]) => {
    expect(await follower.catchUp()).toEqual({ loaded: tables, wrong: [] })
  }
  const migrate = (definition: Sync = sync) => harness.install('SELECT 1', definition)

  test.each([
    [
      'a length',
      'ALTER TABLE item ALTER label TYPE varchar(40)',
      'label',
      `'longer than ten'`,
      'label as character varying',
    ],
    ...(decoder === 'pgoutput' ? PRECISION : []),
    [
      'a fraction',
      'ALTER TABLE item ALTER at TYPE timestamp(6)',
      'at',
      `'2026-01-01 00:00:00.123456'`,
      'at as timestamp',
    ],
    ['a type', 'ALTER TABLE item ALTER n TYPE bigint', 'n', '3000000000', 'n as bigint'],
    ['labels', `ALTER TYPE mood ADD VALUE 'mid' BEFORE 'high'`, 'm', `'mid'`, 'labels in column m'],
    ['the name of a label', `ALTER TYPE mood RENAME VALUE 'low' TO 'none'`, 'm', `'none'`, 'labels in column m'],
    ['the name of a type', 'ALTER TYPE mood RENAME TO feeling', 'm', `'low'`, 'm as public.feeling'],
  ])(
    'FLD-01 CAP-R35 CAP-R37 %s changed by other hands halts capture, and a migration mends it',
    async (_, alter, column, value, said) => {
      await harness.run(alter)
      await insert(2, column, value)
      await expectHalt(/Table public.item/, new RegExp(said), /tidemark migrate/)
      await migrate()
      await expectMended('public.item')
      await insert(3, column, value)
      await expectMended()
    },
  )

  test('FLD-01 CAP-R35 CAP-R37 a column that may hold NULL, or is computed otherwise, halts capture, and a migration mends it', async () => {
    await harness.run(`ALTER TABLE item ALTER note DROP NOT NULL;\nINSERT INTO item (id) VALUES (2)`)
    await expectHalt(/Table public.item may hold NULL in column note/)
    await migrate()
    await expectMended('public.item')
    const [server] = await harness.query(`SELECT current_setting('server_version_num')::int >= 170000 AS knows`)
    await harness.run(
      server?.knows === 't'
        ? 'ALTER TABLE item ALTER b SET EXPRESSION AS (a * 3)'
        : 'ALTER TABLE item ALTER b DROP EXPRESSION',
    )
    await harness.run('UPDATE item SET a = 5 WHERE id = 1')
    await expectHalt(/Table public.item computes column b otherwise/)
    await migrate()
    await expectMended('public.item')
  })

  test('FLD-02 CAP-R36 what changes no row and no shape is taken over without a word', async () => {
    const before = await version()
    for (const change of [
      'VACUUM FULL item',
      'ALTER TABLE item ADD COLUMN extra text',
      'CLUSTER item USING item_pkey',
      `ALTER TABLE item ADD COLUMN made timestamptz DEFAULT clock_timestamp()`,
      `COMMENT ON COLUMN item.note IS 'said'`,
      'ALTER TABLE item ALTER note SET STATISTICS 10',
      'GRANT SELECT (note) ON item TO tidemark_client',
      'ANALYZE item',
      'ALTER TABLE item ALTER m SET NOT NULL',
      'ALTER TABLE item DROP COLUMN extra',
      'CREATE INDEX ON item (label)',
      'ALTER TABLE item DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (id)',
    ]) {
      await harness.run(`${change};\nUPDATE item SET note = note || '.'`)
      expect(await follower.catchUp(), change).toEqual({ loaded: [], wrong: [] })
    }
    expect(await version()).toBe(before)
  })

  test('FLD-03 CAP-R35 CAP-R38 rows rewritten by other hands are loaded anew after a halt, those of other tables follow', async () => {
    for (const [rewrite, ...loaded] of [
      ['ALTER TABLE item ALTER n TYPE int USING n * 60', 'public.item'],
      ['ALTER TABLE item ALTER note TYPE text USING upper(note)', 'public.item'],
      // Its rows lie as they did: the new column is made in replicas as well.
      ['ALTER TABLE item RENAME label TO was; ALTER TABLE item ADD COLUMN label varchar(10)'],
    ] as const) {
      await harness.run(`${rewrite.replaceAll('; ', ';\n')};\nINSERT INTO other SELECT max(id) + 1, true FROM other`)
      await expect(harness.drain(), rewrite).rejects.toMatchObject({
        kind: 'schema-drift',
        message: expect.stringContaining('Table public.item'),
      })
      await expectMended(...loaded)
    }
  })

  test.each([
    [
      'a type',
      'ALTER TABLE item ALTER n TYPE oid',
      'n',
      '4000000000',
      'ALTER TABLE item ALTER n TYPE int',
      'n of another type',
    ],
    [
      'a label',
      `ALTER TYPE mood RENAME VALUE 'low' TO 'none'`,
      'm',
      `'none'`,
      `ALTER TYPE mood RENAME VALUE 'none' TO 'low'`,
      'other labels in column m',
    ],
  ])(
    'FLD-125 CAP-R38 %s that is taken back between two cycles, without a rewrite, is loaded anew',
    async (_, alter, column, value, back, said) => {
      await harness.run(alter)
      await insert(2, column, value)
      await harness.run(back)
      await expect(harness.drain()).rejects.toMatchObject({
        kind: 'schema-drift',
        message: expect.stringMatching(new RegExp(`Table public.item had (column )?${said}.* by themselves`)),
      })
      await expectMended('public.item')
      await insert(3, 'n', '3')
      await expectMended()
    },
  )

  test('FLD-131 CAP-R38 a type that is taken back before a migration, between two cycles, is loaded anew', async () => {
    await harness.run('ALTER TABLE item ALTER n TYPE oid')
    await insert(2, 'n', '4000000000')
    await harness.run('ALTER TABLE item ALTER n TYPE int')
    await migrate()
    await expect(harness.drain()).rejects.toMatchObject({ message: expect.stringContaining('n of another type') })
    await expectMended('public.item')
    // The change that was taken back has the table loaded anew only once.
    await migrate()
    await insert(3, 'n', '3')
    await expectMended()
  })

  test('FLD-03 CAP-R39 rows rewritten by a migration under an equal definition make a new version, exactly at its place', async () => {
    const before = await version()
    const migrateBy = (...statements: string[]) =>
      harness.connection.transaction(async ({ query }) => {
        for (const statement of statements) await query(statement)
        return await applyDefinition(query, sync)
      })
    await insert(2, 'n', '3')
    const rewritten = await migrateBy('ALTER TABLE public.item ALTER n TYPE int USING n * 60')
    expect(rewritten.version).toBe(Number(before) + 1)
    await insert(3, 'n', '4')
    await expectMended('public.item')
    // The row below it was told by the definition before.
    const told = (await harness.history()).filter(({ key }) => key?.id === '2')
    expect(told.map(({ data, schemaVersion }) => [data?.n, schemaVersion])).toEqual([['3', Number(before)]])
    expect(await migrateBy('ANALYZE public.item')).toMatchObject({ changed: false })
  })
})

describe('a partitioned table', () => {
  const event = pgTable('event', { id: integer('id'), at: date('at'), note: text('note') })
  const strict = pgTable('strict', { id: integer('id'), at: date('at'), note: text('note') })
  const partitioned = defineSync({
    tables: { event: table(event, { audience: 'all' }), strict: table(strict, { audience: 'all' }), ...others },
  })
  const month = (n: number) => `FOR VALUES FROM ('2026-0${n}-01') TO ('2026-0${n + 1}-01')`
  const PARTITIONED = `
    CREATE TABLE other (id int PRIMARY KEY, done boolean);
    CREATE TABLE event (id int, at date, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE strict (id int, at date, note text NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE strict_01 PARTITION OF strict ${month(1)};
    CREATE TABLE event_01 PARTITION OF event ${month(1)};
    CREATE TABLE event_02 PARTITION OF event ${month(2)};
    CREATE TABLE event_03 PARTITION OF event ${month(3)};
    CREATE TABLE event_04 PARTITION OF event ${month(4)} PARTITION BY LIST (id);
    CREATE TABLE event_04_all PARTITION OF event_04 DEFAULT
  `
  let harness: CaptureHarness
  let follower: Follower
  let epoch: string | undefined
  const currentEpoch = async () =>
    (await harness.query('SELECT id FROM tidemark.epoch WHERE ended_at IS NULL'))[0]?.id ?? undefined
  const version = async () =>
    (await harness.query('SELECT max(version)::text AS version FROM tidemark.sync_definition'))[0]?.version

  beforeEach(async () => {
    harness = await startCapture(servers().embedded, 'pgoutput', PARTITIONED, partitioned)
    follower = new Follower(harness)
    epoch = await currentEpoch()
    await harness.run(
      `INSERT INTO event SELECT n, m, to_char(m, 'mon') FROM generate_series(1, 3) n, unnest('{2026-01-10,2026-02-10,2026-03-10,2026-04-10}'::date[]) m`,
    )
    await harness.run(`INSERT INTO strict VALUES (1, '2026-01-10', 'x')`)
    expect((await follower.catchUp()).wrong).toEqual([])
  })
  afterEach(async () => {
    expect(await currentEpoch()).toBe(epoch)
    await harness.close()
  })

  const attached = `CREATE TABLE event_05 (LIKE event INCLUDING ALL);\nALTER TABLE event_05 REPLICA IDENTITY FULL;\nINSERT INTO event_05 VALUES (1, '2026-05-10', 'may')`
  test.each([
    ['TRUNCATE event_01', 'event_01'],
    ['TRUNCATE event_04', 'event_04_all'],
    ['VACUUM FULL event_01', 'event_01'],
    ['ALTER TABLE event DETACH PARTITION event_02', 'event_02'],
    ['ALTER TABLE event DETACH PARTITION event_02 CONCURRENTLY', 'event_02'],
    ['DROP TABLE event_03', 'event_03'],
    ['ALTER TABLE event DETACH PARTITION event_04', 'event_04_all'],
    [`${attached};\nALTER TABLE event ATTACH PARTITION event_05 ${month(5)}`, 'event_05'],
  ])('FLD-04 CAP-R35 CAP-R38 %s halts, names the partition, and loads its root anew', async (step, leaf) => {
    await harness.run(`${step};\nINSERT INTO other VALUES (1, true)`)
    await expect(harness.drain()).rejects.toMatchObject({
      kind: 'schema-drift',
      message: expect.stringMatching(new RegExp(`Table public.event .*partition public.${leaf}`)),
    })
    expect(await follower.catchUp()).toEqual({ loaded: ['public.event'], wrong: [] })
    await harness.run(`INSERT INTO event VALUES (9, '2026-01-10', 'after')`)
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
  })

  test('FLD-04 CAP-R35 CAP-R38 a partition whose detachment was interrupted is gone, and its end changes nothing more', async () => {
    const reader = await harness.database.open()
    await reader.query('BEGIN')
    await reader.query('SELECT count(*) FROM public.event')
    const detaching = await harness.database.open()
    const [own] = await detaching.query('SELECT pg_backend_pid()::text AS pid')
    const detached = expect(
      detaching.query('ALTER TABLE public.event DETACH PARTITION public.event_02 CONCURRENTLY'),
    ).rejects.toThrow()
    const isPending = () => harness.query(`SELECT FROM pg_inherits WHERE inhdetachpending`)
    await until(async () => (await isPending()).length > 0)
    await harness.query('SELECT pg_cancel_backend($1::int)', [own?.pid ?? null])
    await detached
    await reader.close()
    await detaching.close()
    await harness.run('INSERT INTO other VALUES (1, true)')
    await expect(harness.drain()).rejects.toMatchObject({
      message: expect.stringContaining('no longer has partition public.event_02'),
    })
    expect(await follower.catchUp()).toEqual({ loaded: ['public.event'], wrong: [] })
    await harness.run('ALTER TABLE event DETACH PARTITION event_02 FINALIZE;\nINSERT INTO other VALUES (2, true)')
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
  })

  test('FLD-05 CAP-R36 a new empty partition halts nobody and makes nobody load anew, whoever writes first', async () => {
    const before = await version()
    await harness.run(`CREATE TABLE event_06 PARTITION OF event ${month(6)};\nINSERT INTO other VALUES (1, true)`)
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
    await harness.run(
      `CREATE TABLE event_07 (LIKE event INCLUDING ALL);\nALTER TABLE event ATTACH PARTITION event_07 ${month(7)}`,
    )
    await harness.run(`CREATE TABLE event_08 PARTITION OF event ${month(8)} PARTITION BY LIST (id)`)
    await harness.run(`CREATE TABLE event_08_all PARTITION OF event_08 DEFAULT`)
    await harness.run(`INSERT INTO event VALUES (9, '2026-01-10', 'first')`)
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
    for (const at of ['2026-06-10', '2026-07-10', '2026-08-10']) {
      await harness.run(`INSERT INTO event VALUES (9, '${at}', NULL), (10, '${at}', 'x')`)
      await harness.run(`UPDATE event SET note = 'changed' WHERE at = '${at}' AND id = 9`)
      await harness.run(`DELETE FROM event WHERE at = '${at}' AND id = 10`)
    }
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
    expect(await version()).toBe(before)
  })

  test('FLD-06 CAP-R36 CAP-R38 a new partition with rows: inserts load nobody anew, what the log tells by half does', async () => {
    await harness.run(
      `CREATE TABLE strict_06 PARTITION OF strict ${month(6)};\nINSERT INTO strict VALUES (9, '2026-06-10', 'x')`,
    )
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
    await harness.run(
      `CREATE TABLE strict_07 PARTITION OF strict ${month(7)};\nINSERT INTO strict VALUES (9, '2026-07-10', 'x'), (10, '2026-07-10', 'y')`,
    )
    await harness.run(`DELETE FROM strict WHERE at = '2026-07-10' AND id = 9`)
    await expect(harness.drain()).rejects.toMatchObject({ kind: 'schema-drift' })
    expect(await follower.catchUp()).toEqual({ loaded: ['public.strict'], wrong: [] })
    // In a table whose columns but the key may all be NULL, an old row told by half looks like a whole one.
    await harness.run(
      `CREATE TABLE event_07 PARTITION OF event ${month(7)};\nINSERT INTO event VALUES (9, '2026-07-10', 'x'), (10, '2026-07-10', 'y')`,
    )
    await harness.run(`DELETE FROM event WHERE at = '2026-07-10' AND id = 9`)
    await expect(harness.drain()).rejects.toMatchObject({
      message: expect.stringContaining('new partition public.event_07'),
    })
    expect(await follower.catchUp()).toEqual({ loaded: ['public.event'], wrong: [] })
    // A partition that had full identity from its beginning is trusted.
    await harness.run(
      `BEGIN;\nCREATE TABLE event_08 PARTITION OF event ${month(8)};\nALTER TABLE event_08 REPLICA IDENTITY FULL;\nCOMMIT;\nINSERT INTO event VALUES (9, '2026-08-10', NULL), (10, '2026-08-10', 'y')`,
    )
    await harness.run(`DELETE FROM event WHERE at = '2026-08-10' AND id = 9`)
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
  })

  test('FLD-07 CAP-R36 a new partition that is locked is waited for, and one whose rows never reach the log is not synced', async () => {
    await harness.run(`CREATE TABLE event_06 PARTITION OF event ${month(6)}`)
    const holder = await harness.database.open()
    await holder.query('BEGIN')
    await holder.query('LOCK TABLE public.event_06 IN ACCESS SHARE MODE')
    await harness.run('INSERT INTO other VALUES (1, true)')
    await expect(harness.drain()).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('locked'),
    })
    await holder.query('ROLLBACK')
    await holder.close()
    expect(await follower.catchUp()).toEqual({ loaded: [], wrong: [] })
    await harness.run(
      `CREATE UNLOGGED TABLE event_07 PARTITION OF event ${month(7)};\nINSERT INTO other VALUES (2, true)`,
    )
    await expect(harness.drain()).rejects.toMatchObject({
      message: expect.stringContaining('partition public.event_07'),
    })
    await harness.run('DROP TABLE event_07')
    expect((await follower.catchUp()).wrong).toEqual([])
  })
})
