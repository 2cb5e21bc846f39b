import { integer, numeric, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { parsePgLsn } from '../../protocol/index.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { dyingAt, Killed, type Moment } from '../../testing/capture/dying-database.ts'
import { interposed } from '../../testing/capture/interposed-database.ts'
import { transactionsOf } from '../../testing/encoded-transactions.ts'
import { servers } from '../../testing/postgres/servers.ts'
import type { Database } from '../database/index.ts'
import { NO_MEMORY } from './rules/epoch-decision.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org'), note: text('note') })
const later = pgTable('later', { id: integer('id').primaryKey() })
const price = pgTable('price', { id: integer('id').primaryKey(), amount: numeric('amount') })
const org = { audience: { column: item.org, prefix: 'org' } }
const sync = defineSync({ tables: { item: table(item, org) } })
const withLater = defineSync({ tables: { item: table(item, org), later: table(later, { audience: 'all' }) } })
const SCHEMA = `
  CREATE TABLE item (id int PRIMARY KEY, org text, note text);
  CREATE TABLE later (id int PRIMARY KEY)
`

const MOMENTS: Record<string, Moment> = {
  'after the peek': { when: 'before', statement: /FOR UPDATE/ },
  'after an insert': { when: 'after', statement: /INSERT INTO tidemark.change_history/ },
  'before the commit': { when: 'before', statement: 'commit' },
  'after the commit': { when: 'after', statement: 'commit' },
  'before the advance': { when: 'before', statement: /pg_replication_slot_advance/ },
  'after the advance': { when: 'after', statement: /pg_replication_slot_advance/ },
}

const SHORT_MOMENTS: Record<string, Moment> = {
  'after the peek': { when: 'before', statement: /fence AS/ },
  'after the only statement': { when: 'after', statement: /fence AS/ },
  'before the advance': { when: 'before', statement: /pg_replication_slot_advance/ },
  'after the advance': { when: 'after', statement: /pg_replication_slot_advance/ },
}

describe.each([
  { decoder: 'wal2json', server: 'system' },
  { decoder: 'pgoutput', server: 'embedded' },
] as const)('$decoder on $server', ({ decoder, server }) => {
  let harness: CaptureHarness
  const start = async () => {
    harness = await startCapture(servers()[server], decoder, SCHEMA, sync)
    return harness
  }
  afterEach(() => harness.close())

  const ids = async () => (await harness.history()).map(({ key }) => key?.id)
  const currentEpoch = async () =>
    (await harness.query(`SELECT id, end_reason FROM tidemark.epoch WHERE ended_at IS NULL`))[0]?.id
  const sinceOfItem = async () =>
    (
      await harness.query(
        `SELECT definition #>> '{tables,0,since}' AS since FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1`,
      )
    )[0]?.since
  const endReason = async () =>
    (
      await harness.query(
        `SELECT end_reason FROM tidemark.epoch WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT 1`,
      )
    )[0]?.end_reason

  test('FLT-01 CAP-R10 a kill at any moment of the cycle loses nothing and doubles nothing', async () => {
    await start()
    let id = 0
    for (const [name, moment] of Object.entries(MOMENTS)) {
      await harness.run(
        `INSERT INTO item VALUES (${++id}, 'a', '${name}');\nINSERT INTO item VALUES (${++id}, 'b', 'x')`,
      )
      const dying = await harness.database.open()
      await expect(harness.cycle(dyingAt(dying, moment)), name).rejects.toThrow(Killed)
      await dying.close()
      harness.restart()
      await harness.drain()
      expect(await ids(), name).toEqual(Array.from({ length: id }, (_, index) => String(index + 1)))
      // Rows that were stored and never told are announced to everyone.
      const head = (await harness.query('SELECT head_lsn::text AS lsn FROM tidemark.epoch WHERE ended_at IS NULL'))[0]
        ?.lsn
      const told = harness.batches.some(({ everyone, to }) => everyone && to >= parsePgLsn(head ?? ''))
      const changes = transactionsOf(harness.batches).flatMap((one) => one.changes)
      const carried = changes.some((change) => 'data' in change && change.data.id === String(id))
      expect(told || carried, name).toBe(true)
    }
  })

  test('FLT-01 CAP-R10 CAP-R30 a kill at any moment of a short cycle loses nothing and doubles nothing', async () => {
    await start()
    let id = 0
    for (const [name, moment] of Object.entries(SHORT_MOMENTS)) {
      // A cycle is short where the one before it found little.
      await harness.drain()
      await harness.run(`INSERT INTO item VALUES (${++id}, 'a', '${name}')`)
      const [dying, peeker] = [await harness.database.open(), await harness.database.open()]
      const killed = harness.cycle(dyingAt(dying, moment), dyingAt(peeker, moment))
      await expect(killed, name).rejects.toThrow(Killed)
      await Promise.all([dying.close(), peeker.close()])
      harness.restart()
      await harness.drain()
      expect(await ids(), name).toEqual(Array.from({ length: id }, (_, index) => String(index + 1)))
    }
  })

  test('CAP-R30 a transaction too large for a short cycle is stored the long way, and a short one after it', async () => {
    await start()
    await harness.drain()
    await harness.run(`INSERT INTO item SELECT n, 'a', 'x' FROM generate_series(1, 3000) n`)
    await harness.drain()
    await harness.run(`INSERT INTO item VALUES (3001, 'a', repeat('x', 2000000))`)
    await harness.drain()
    await harness.run(`INSERT INTO item VALUES (3002, 'a', 'x')`)
    await harness.drain()
    expect(await ids()).toEqual(Array.from({ length: 3002 }, (_, index) => String(index + 1)))
  })

  test('CAP-R30 HIS-07 a short cycle stores nothing into an epoch that has ended', async () => {
    await start()
    await harness.drain()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    const overtaken = await harness.database.open()
    const ending: Database = {
      usable: true,
      processId: overtaken.processId,
      rows: overtaken.rows,
      transaction: (run, options) => overtaken.transaction(run, options),
      close: () => overtaken.close(),
      reset: () => overtaken.reset(),
      query: async (text, params) => {
        if (text.includes('fence AS')) await harness.query('UPDATE tidemark.epoch SET ended_at = now()')
        return overtaken.query(text, params)
      },
    }
    const peeker = await harness.database.open()
    await expect(harness.cycle(ending, peeker)).rejects.toMatchObject({ kind: 'unavailable' })
    await Promise.all([overtaken.close(), peeker.close()])
    expect(await harness.query(`SELECT FROM tidemark.change_history WHERE table_name = 'public.item'`)).toEqual([])
  })

  test('FLT-02 HIS-01 CAP-R11 a slot that replays after a crash stores nothing twice', async () => {
    await start()
    const dying = await harness.database.open()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x'), (2, 'a', 'x');\nUPDATE item SET note = 'y' WHERE id = 1`)
    await harness.cycle(dyingAt(dying, MOMENTS['before the advance'] as Moment)).catch(() => {})
    await dying.close()
    const before = await harness.history()
    expect(before.map(({ key }) => key?.id)).toEqual(['1', '2', '1'])
    // The slot still stands before these rows; with the head put back too, the insert itself meets them.
    await harness.query('UPDATE tidemark.epoch SET head_lsn = start_lsn')
    harness.memory = NO_MEMORY
    harness.restart()
    expect(await harness.cycle()).toMatchObject({ storedRows: 3 })
    await harness.drain()
    expect(await harness.history()).toEqual(before)
  })

  test('FLT-03 CAP-R12 a dropped slot begins a new epoch, reported', async () => {
    await start()
    const before = await currentEpoch()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    await harness.query('SELECT pg_drop_replication_slot($1)', [harness.settings.slotName])
    await harness.drain()
    expect(await currentEpoch()).not.toBe(before)
    expect(await endReason()).toBe('slot-missing')
    expect(harness.capture.state?.startedReason).toBe('slot-missing')
    expect(harness.batches.at(-1)?.epoch).toBe(await currentEpoch())
    await harness.run(`INSERT INTO item VALUES (2, 'a', 'x')`)
    await harness.drain()
    expect(await ids()).toEqual(['2'])
  })

  test.each([
    { during: 'the peek', statement: /pg_logical_slot_peek/ },
    { during: 'the advance', statement: /pg_replication_slot_advance/ },
  ])(
    'FLT-03 CAP-R12 a slot that goes away before $during of a cycle is told as what passes, and the next begins a new epoch',
    async ({ statement }) => {
      await start()
      const before = await currentEpoch()
      await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
      const other = await harness.database.open()
      const drop = async (text: string) => {
        if (statement.test(text)) await other.query('SELECT pg_drop_replication_slot($1)', [harness.settings.slotName])
      }
      await expect(harness.cycle(interposed(harness.connection, drop), null)).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringContaining('slot'),
      })
      await other.close()
      await harness.drain()
      expect(await currentEpoch()).not.toBe(before)
      expect(await endReason()).toBe('slot-missing')
    },
  )

  test.each([
    ['another timeline', `UPDATE tidemark.epoch SET timeline = timeline + 1`, 'timeline-changed'],
    ['another system', `UPDATE tidemark.epoch SET system_identifier = 'x'`, 'system-changed'],
    ['a head beyond the log', `UPDATE tidemark.epoch SET head_lsn = 'FFFF/0'`, 'log-went-back'],
    ['a restored epoch', `UPDATE tidemark.epoch SET id = 'restored'`, 'restored'],
    ['a released epoch', `UPDATE tidemark.epoch SET ended_at = now(), end_reason = 'by hand'`, 'by hand'],
  ])('FLT-03 HIS-07 CAP-R12 %s begins a new epoch', async (_, change, reason) => {
    await start()
    const before = harness.capture.state?.epoch.id
    await harness.query(change)
    await harness.drain()
    expect(await endReason()).toBe(reason)
    expect(await currentEpoch()).not.toBe(before)
    await harness.run(`INSERT INTO item VALUES (3, 'a', 'x')`)
    await harness.drain()
    expect(await ids()).toEqual(['3'])
  })

  test('FLT-03 CAP-R12 a slot that somebody else moved begins a new epoch', async () => {
    await start()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    await harness.query('SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())', [harness.settings.slotName])
    await harness.drain()
    expect(await endReason()).toBe('slot-moved')
  })

  test('FLT-04 CAP-R13 capture goes on from Postgres when its own storage was wiped', async () => {
    await start()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    await harness.drain()
    const epoch = await currentEpoch()
    harness.memory = NO_MEMORY
    harness.restart()
    await harness.run(`INSERT INTO item VALUES (2, 'a', 'x')`)
    await harness.drain()
    expect(await currentEpoch()).toBe(epoch)
    expect(await ids()).toEqual(['1', '2'])
  })

  test('FLT-05 CAP-R10 a cut connection stops the cycle, and the next goes on', async () => {
    await start()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    const cut = await harness.database.open()
    const [row] = await cut.query('SELECT pg_backend_pid()::text AS pid')
    await harness.query('SELECT pg_terminate_backend($1::int)', [row?.pid ?? null])
    await expect(harness.cycle(cut)).rejects.toMatchObject({ kind: 'unavailable' })
    expect(cut.usable).toBe(false)
    await harness.drain()
    expect(await ids()).toEqual(['1'])
  })

  test('CAP-25 CAP-R15 a long open write transaction does not stop capture', async () => {
    await start()
    const open = await harness.database.open()
    await open.query('BEGIN')
    await open.query(`INSERT INTO public.item VALUES (1, 'a', 'open')`)
    await harness.run(`INSERT INTO item VALUES (2, 'a', 'x')`)
    await harness.drain()
    expect(await ids()).toEqual(['2'])
    await open.query('COMMIT')
    await open.close()
    await harness.drain()
    expect(await ids()).toEqual(['2', '1'])
  })

  test('CAP-27 CAP-R16 a failing insert stops the cycle, leaves the slot, and heals', async () => {
    await start()
    const position = async () =>
      (
        await harness.query('SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1', [
          harness.settings.slotName,
        ])
      )[0]?.lsn
    await harness.query(
      `ALTER TABLE tidemark.change_history ADD CONSTRAINT broken CHECK (table_name <> 'public.item') NOT VALID`,
    )
    await harness.drain()
    const before = await position()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    await expect(harness.cycle()).rejects.toMatchObject({ kind: 'internal' })
    await expect(harness.cycle()).rejects.toMatchObject({ kind: 'internal' })
    expect(await position()).toBe(before)
    await harness.query('ALTER TABLE tidemark.change_history DROP CONSTRAINT broken')
    await harness.drain()
    expect(await ids()).toEqual(['1'])
  })

  test('CAP-17 CAP-R17 CAP-R38 a lost REPLICA IDENTITY halts capture; once mended the table is loaded anew', async () => {
    await start()
    const before = await currentEpoch()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    await harness.drain()
    await harness.run(`ALTER TABLE item REPLICA IDENTITY DEFAULT;\nUPDATE item SET note = 'y' WHERE id = 1`)
    await expect(harness.cycle()).rejects.toMatchObject({
      kind: 'schema-drift',
      message: expect.stringContaining('REPLICA IDENTITY FULL'),
    })
    harness.restart()
    await expect(harness.cycle()).rejects.toMatchObject({ kind: 'schema-drift' })
    expect(await currentEpoch()).toBe(before)
    await harness.run('ALTER TABLE item REPLICA IDENTITY FULL')
    await harness.drain()
    expect(await currentEpoch()).toBe(before)
    expect(await sinceOfItem()).toBe('2')
    await harness.run(`UPDATE item SET note = 'z' WHERE id = 1`)
    await harness.drain()
    expect((await harness.history()).at(-1)).toMatchObject({ data: { note: 'z' }, schemaVersion: 2 })
  })

  test('CAP-17 CAP-R17 an identity lost and restored between two cycles is noticed in the log', async () => {
    await start()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x');\nINSERT INTO item VALUES (2, 'a', 'kept')`)
    await harness.run(
      `ALTER TABLE item REPLICA IDENTITY DEFAULT;\nUPDATE item SET note = 'y' WHERE id = 1;\nALTER TABLE item REPLICA IDENTITY FULL`,
    )
    const epoch = await currentEpoch()
    await expect(harness.cycle()).rejects.toMatchObject({ kind: 'schema-drift' })
    expect((await harness.history(epoch ?? '')).map(({ key }) => key?.id)).toEqual(['1', '2'])
    await harness.drain()
    expect(await currentEpoch()).toBe(epoch)
    expect(await sinceOfItem()).toBe('2')
  })

  test('CAP-29 CAP-R18 a missing publication, or one that lacks a table, is mended', async () => {
    await start()
    const published = async () =>
      (
        await harness.query(
          `SELECT string_agg(tablename, ',' ORDER BY tablename) AS names FROM pg_publication_tables WHERE pubname = 'tidemark'`,
        )
      )[0]?.names
    await harness.run('ALTER PUBLICATION tidemark DROP TABLE item')
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    await harness.drain()
    expect(await published()).toBe('item,mutation,sync_definition')
    await harness.run('DROP PUBLICATION tidemark')
    await harness.run(`INSERT INTO item VALUES (2, 'a', 'x')`)
    await harness.drain()
    expect(await published()).toBe('item,mutation,sync_definition')
    // A mended publication keeps the app's own updates possible, as the one it replaces did.
    await harness.run('ALTER TABLE item ADD COLUMN twice text GENERATED ALWAYS AS (note || note) STORED')
    await harness.run(`INSERT INTO item VALUES (3, 'a', 'y')`)
    await harness.run(`UPDATE item SET note = 'x' WHERE id = 3`)
    await harness.drain()
    // pgoutput lost rows that were not published, so its history begins anew; wal2json needs no publication.
    expect(await ids()).toEqual(decoder === 'pgoutput' ? ['3', '3'] : ['1', '2', '3', '3'])
  })

  test.each([
    [
      'a table left out for a while',
      'ALTER PUBLICATION tidemark DROP TABLE item',
      'ALTER PUBLICATION tidemark ADD TABLE item',
    ],
    [
      'a publication made anew by hand',
      'DROP PUBLICATION tidemark',
      'CREATE PUBLICATION tidemark FOR TABLE item, tidemark.sync_definition, tidemark.mutation WITH (publish_via_partition_root = true)',
    ],
  ])('CAP-29 CAP-R18 %s between two cycles is noticed', async (_, without, again) => {
    await start()
    const before = await currentEpoch()
    await harness.run(`${without};\nINSERT INTO item VALUES (1, 'a', 'x');\n${again}`)
    harness.restart()
    await harness.cycle()
    await harness.drain()
    if (decoder === 'pgoutput') expect(await endReason()).toBe('publication-altered')
    else expect(await currentEpoch()).toBe(before)
    await harness.run(`INSERT INTO item VALUES (2, 'a', 'x')`)
    await harness.drain()
    expect(await ids()).toEqual(decoder === 'pgoutput' ? ['2'] : ['1', '2'])
  })

  test('CAP-29 FLT-01 CAP-R18 a kill around the mending of the publication hides no loss', async () => {
    await start()
    for (const [id, when] of [
      ['1', 'before'],
      ['2', 'after'],
    ] as const) {
      const before = await currentEpoch()
      await harness.run(`ALTER PUBLICATION tidemark DROP TABLE item;\nINSERT INTO item VALUES (${id}, 'a', 'x')`)
      const dying = await harness.database.open()
      await expect(harness.cycle(dyingAt(dying, { when, statement: /CREATE PUBLICATION/ }))).rejects.toThrow(Killed)
      await dying.close()
      harness.restart()
      await harness.drain()
      if (decoder === 'pgoutput') expect(await currentEpoch()).not.toBe(before)
      else expect((await ids()).at(-1)).toBe(id)
    }
  })

  test('FLT-03 CAP-R12 a database put back on its own timeline is noticed though its log has grown past it', async () => {
    await start()
    const [kept] = await harness.query('SELECT head_lsn::text AS head FROM tidemark.epoch')
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    await harness.drain()
    await harness.query('UPDATE tidemark.epoch SET head_lsn = $1::pg_lsn', [kept?.head ?? null])
    harness.restart()
    await harness.drain()
    expect(await endReason()).toBe('restored')
  })

  test.each([
    ['REPLICA IDENTITY FULL', 'ALTER TABLE item REPLICA IDENTITY DEFAULT', 'ALTER TABLE item REPLICA IDENTITY FULL'],
    ['another primary key', 'ALTER TABLE item DROP CONSTRAINT item_pkey', 'ALTER TABLE item ADD PRIMARY KEY (id)'],
  ])(
    "CAP-17 CAP-R17 drift (%s) is refused at start-up, at an epoch's start, and with the next row",
    async (message, lose, mend) => {
      await start()
      const refused = { kind: 'schema-drift', message: expect.stringContaining(message) }
      await harness.run(lose)
      harness.restart()
      await expect(harness.cycle()).rejects.toMatchObject(refused)
      await harness.run(mend)
      await harness.drain()
      await harness.run(`${lose};\nINSERT INTO item VALUES (1, 'a', 'x')`)
      await expect(harness.cycle()).rejects.toMatchObject(refused)
      await harness.run(mend)
      await harness.drain()
      await harness.run(lose)
      await harness.query(`UPDATE tidemark.epoch SET ended_at = now(), end_reason = 'released' WHERE ended_at IS NULL`)
      await expect(harness.cycle()).rejects.toMatchObject(refused)
      expect(await currentEpoch()).toBeUndefined()
      await harness.run(mend)
      await harness.drain()
      expect(await currentEpoch()).toBeDefined()
    },
  )

  test('CAP-31 CAP-30 CAP-R19 a definition comes in force at its place in the log, and a replay numbers alike', async () => {
    await start()
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x');\nINSERT INTO later VALUES (1)`)
    await harness.database.install('SELECT 1', withLater)
    await harness.run(`BEGIN;\nINSERT INTO later VALUES (2);\nINSERT INTO item VALUES (2, 'a', 'x');\nCOMMIT`)
    const dying = await harness.database.open()
    await harness.cycle(dyingAt(dying, MOMENTS['before the advance'] as Moment)).catch(() => {})
    await dying.close()
    harness.restart()
    await harness.drain()
    const entries = await harness.history()
    expect(
      entries.map(({ table: name, operation, key, seq, schemaVersion }) => [
        name,
        operation,
        key?.id ?? key?.version,
        seq,
        schemaVersion,
      ]),
    ).toEqual([
      ['public.item', 'insert', '1', 0, 1],
      ['tidemark.sync_definition', 'definition', '2', 0, 2],
      ['public.later', 'insert', '2', 0, 2],
      ['public.item', 'insert', '2', 1, 2],
    ])
    expect(harness.batches.some(({ everyone, definition }) => everyone && definition.version === 2)).toBe(true)
  })

  test('CAP-30 CAP-R19 a table renamed while capture lags is read by the definition of its time', async () => {
    await start()
    const renamed = pgTable('renamed', { id: integer('id').primaryKey(), org: text('org'), note: text('note') })
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'before')`)
    const epoch = await currentEpoch()
    await harness.database.install(
      'ALTER TABLE item RENAME TO renamed',
      defineSync({ tables: { renamed: table(renamed, { audience: { column: renamed.org, prefix: 'org' } }) } }),
    )
    await harness.run(`INSERT INTO renamed VALUES (2, 'a', 'after')`)
    await harness.drain()
    const rows = await harness.query(
      `SELECT table_name, row_key ->> 'id' AS id FROM tidemark.change_history WHERE operation = 'insert' ORDER BY lsn, seq`,
    )
    expect(rows).toEqual([
      { table_name: 'public.item', id: '1' },
      { table_name: 'public.renamed', id: '2' },
    ])
    expect(await currentEpoch()).toBe(epoch)
  })

  test('OPS-11 CAP-R12 a second deployment is refused with the remedy', async () => {
    await start()
    harness.memory = NO_MEMORY
    harness.restart({ owner: 'somebody else' })
    await expect(harness.cycle()).rejects.toMatchObject({
      kind: 'misconfigured',
      message: expect.stringContaining('Another deployment'),
    })
    await harness.query(`UPDATE tidemark.epoch SET ended_at = now(), end_reason = 'released' WHERE ended_at IS NULL`)
    await harness.drain()
    expect(harness.capture.state?.epoch.owner).toBe('somebody else')
  })

  test('HIS-08 CAP-32 CAP-R2 a reader during capture sees whole transactions, and nothing is told before it can be read', async () => {
    await start()
    await harness.run(`INSERT INTO item SELECT g, 'a', 'x' FROM generate_series(1, 12000) g`)
    const count = async () =>
      Number((await harness.query('SELECT count(*)::text AS n FROM tidemark.change_history'))[0]?.n)
    const told: Promise<number>[] = []
    let running = true
    const cycle = harness.capture
      .cycle(
        harness.connection,
        () => true,
        () => void told.push(count()),
      )
      .finally(() => {
        running = false
      })
    const seen = new Set<number>()
    while (running) seen.add(await count())
    await cycle
    expect([...seen].filter((rows) => rows !== 12000)).toEqual([0])
    expect(await Promise.all(told)).toEqual([12000])
  })
})

test('CAP-23 CAP-R22 auto takes pgoutput where wal2json is absent or too old, and says so', async () => {
  const absent = await startCapture(servers().embedded, 'auto', SCHEMA, sync)
  expect(absent.capture.state?.epoch.decoder).toBe('pgoutput')
  expect(absent.capture.state?.decoderReason).toMatch(/wal2json/)
  await absent.close()
  const present = await startCapture(servers().system, 'auto', SCHEMA, sync)
  expect(present.capture.state?.epoch.decoder).toBe('wal2json')
  await present.close()
  const PRICE = `${SCHEMA};\nCREATE TABLE price (id int PRIMARY KEY, amount numeric)`
  const priced = defineSync({ tables: { price: table(price, { audience: 'all' }) } })
  const old = await startCapture(servers().system, 'auto', PRICE, priced)
  expect(old.capture.state?.epoch.decoder).toBe('pgoutput')
  expect(old.capture.state?.decoderReason).toMatch(/older than 2.6/)
  await old.close()
  await expect(startCapture(servers().system, 'wal2json', PRICE, priced)).rejects.toMatchObject({
    kind: 'misconfigured',
  })
})

test.each(captureCases.filter(({ server }) => server === 'newer'))(
  'CAP-23 CAP-R22 auto takes wal2json for numeric columns from 2.6 on',
  async ({ server }) => {
    const priced = defineSync({ tables: { price: table(price, { audience: 'all' }) } })
    const harness = await startCapture(
      serverNamed(server),
      'auto',
      'CREATE TABLE price (id int PRIMARY KEY, amount numeric)',
      priced,
    )
    expect(harness.capture.state?.epoch.decoder).toBe('wal2json')
    await harness.close()
  },
)
