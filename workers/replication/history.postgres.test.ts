import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { formatPgLsn, ZERO_LSN } from '../../protocol/index.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { watched } from '../../testing/capture/watched-database.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { asClient } from '../database/index.ts'
import { readHistory } from '../sync/history.ts'
import { pruneHistory } from './retention.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org'), note: text('note') })
const sync = defineSync({ tables: { item: table(item, { audience: { column: item.org, prefix: 'org' } }) } })
const SCHEMA = 'CREATE TABLE item (id int PRIMARY KEY, org text, note text)'
/** A run with `HISTORY_ROWS=10000000` takes a quarter of an hour and 10 GB. */
const HISTORY_ROWS = Number(process.env.HISTORY_ROWS ?? 100_000)
const FUTURE = '2999-01-01T00:00:00Z'

describe.each([
  { decoder: 'wal2json', server: 'system' },
  { decoder: 'pgoutput', server: 'embedded' },
] as const)('history by $decoder on $server', ({ decoder, server }) => {
  let harness: CaptureHarness
  beforeEach(async () => {
    harness = await startCapture(servers()[server], decoder, SCHEMA, sync)
  })
  afterEach(() => harness.close())

  test.each([1, 2, 3, 4])('HIS-02 CAP-R2 bounded peeks of %i changes cut and skip nothing', async (maxChanges) => {
    harness.restart({ maxChanges })
    for (let id = 1; id <= 12; id += 3) {
      await harness.run(
        `BEGIN;\nINSERT INTO item VALUES (${id}, 'a', 'x'), (${id + 1}, 'b', 'x');\nUPDATE item SET note = 'y' WHERE id = ${id};\nCOMMIT;\nINSERT INTO item VALUES (${id + 2}, 'a', 'x')`,
      )
    }
    await harness.drain()
    const entries = await harness.history()
    expect(entries.map(({ operation, key }) => `${operation} ${key?.id}`)).toEqual(
      [1, 4, 7, 10].flatMap((id) => [`insert ${id}`, `insert ${id + 1}`, `update ${id}`, `insert ${id + 2}`]),
    )
    expect(entries.map(({ seq }) => seq)).toEqual([1, 4, 7, 10].flatMap(() => [0, 1, 2, 0]))
  })

  test('HIS-09 CAP-R1 folding history gives the rows of each commit, and old values undo a transaction', async () => {
    const states: { lsn: string; rows: unknown }[] = []
    const now = async () => JSON.stringify(await harness.query('SELECT id::text, org, note FROM item ORDER BY item.id'))
    for (const statement of [
      `INSERT INTO item VALUES (1, 'a', 'x'), (2, 'a', 'y')`,
      `UPDATE item SET note = 'z' WHERE id = 1`,
      `UPDATE item SET org = 'b' WHERE id = 2`,
      `UPDATE item SET id = 3 WHERE id = 1`,
      `DELETE FROM item WHERE id = 2`,
    ]) {
      await harness.run(statement)
      await harness.drain()
      states.push({ lsn: (await harness.history()).at(-1)?.lsn ?? '', rows: await now() })
    }
    const entries = await harness.history()
    const rows = new Map<string, Record<string, string | null>>()
    const print = () => JSON.stringify([...rows.values()].sort((a, b) => Number(a.id) - Number(b.id)))
    for (const [index, entry] of entries.entries()) {
      const id = entry.key?.id ?? ''
      if (entry.operation === 'delete') rows.delete(id)
      else rows.set(id, { ...rows.get(id), ...entry.data })
      if (entries[index + 1]?.lsn !== entry.lsn) expect(print()).toBe(states.find(({ lsn }) => lsn === entry.lsn)?.rows)
    }
    for (const entry of entries.toReversed()) {
      const id = entry.key?.id ?? ''
      if (entry.operation === 'insert') rows.delete(id)
      else rows.set(id, { ...rows.get(id), ...entry.oldData })
    }
    expect(rows.size).toBe(0)
  })

  test('HIS-04 HIS-05 HIS-06 CAP-R28 retention leaves a floor that outlives every row, and the definition', async () => {
    await harness.database.install('ALTER TABLE item ADD COLUMN extra int', sync)
    await harness.run(`INSERT INTO item VALUES (1, 'a', 'x')`)
    await harness.drain()
    const before = harness.capture.state
    expect(await pruneHistory(harness.connection, '2000-01-01T00:00:00Z')).toBe(false)
    expect(await harness.history()).not.toEqual([])
    const last = (await harness.history()).at(-1)?.lsn
    expect(await pruneHistory(harness.connection, FUTURE)).toBe(false)
    expect((await harness.history()).filter(({ operation }) => operation !== 'definition')).toEqual([])
    harness.restart()
    await harness.drain()
    const state = harness.capture.state
    expect(state && formatPgLsn(state.epoch.floorLsn)).toBe(last)
    expect(state?.epoch.id).toBe(before?.epoch.id)
    expect(state?.definition.version).toBe(before?.definition.version)
    await harness.run(`INSERT INTO item VALUES (2, 'a', 'x')`)
    await harness.drain()
    expect((await harness.history()).map(({ key }) => key?.id).at(-1)).toBe('2')
  })

  test('HIS-04 CAP-R28 retention drops an ended epoch whole, in bounded batches', async () => {
    await harness.run(`INSERT INTO item SELECT g, 'a', 'x' FROM generate_series(1, 12000) g`)
    await harness.drain()
    const ended = harness.capture.state?.epoch.id ?? ''
    await harness.query('SELECT pg_drop_replication_slot($1)', [harness.settings.slotName])
    await harness.drain()
    expect(await harness.history(ended)).toHaveLength(12000)
    while (await pruneHistory(harness.connection, FUTURE));
    expect(await harness.history(ended)).toEqual([])
  })

  test('HIS-03 CAP-R11 positions across 0/FFFFFFFF are ordered as numbers', async () => {
    const epoch = harness.capture.state?.epoch.id ?? ''
    for (const lsn of ['0/FFFFFFF0', '1/10', 'A/0', '0/9', '10/0']) {
      await harness.query(
        `INSERT INTO tidemark.change_history (epoch, lsn, seq, xid, transaction_id, table_name, operation, schema_version, committed_at)
         VALUES ($1, $2::pg_lsn, 0, 1, '1', 't', 'truncate', 1, now())`,
        [epoch, lsn],
      )
    }
    expect((await harness.history()).map(({ lsn }) => lsn)).toEqual(['0/9', '0/FFFFFFF0', '1/10', 'A/0', '10/0'])
  })
})

describe('history at size', () => {
  let harness: CaptureHarness
  afterAll(() => harness.close())

  test(
    'HIS-10 looks up by row, transaction, mutation, audience and LSN use an index',
    async () => {
      harness = await startCapture(servers().embedded, 'pgoutput', SCHEMA, sync)
      for (let from = 1; from <= HISTORY_ROWS; from += 100_000) {
        await harness.query(
          `INSERT INTO tidemark.change_history (epoch, lsn, seq, xid, transaction_id, table_name, operation, row_key, data, audience, schema_version, committed_at, client_id, mutation_id)
         SELECT 'e', ('0/' || to_hex(n))::pg_lsn, 0, n, n::text::xid8, 'public.item', 'insert', jsonb_build_object('id', n::text), '{}',
           'org:' || n % 1000, 1, now(), 'c' || n % 100, 'm' || n FROM generate_series($1::int, $1::int + 99999) n`,
          [from],
        )
      }
      await harness.query('ANALYZE tidemark.change_history')
      const lookUps: Record<string, string> = {
        row: `table_name = 'public.item' AND jsonb_hash_extended(row_key, 0) = jsonb_hash_extended('{"id": "77"}', 0)`,
        transaction: `epoch = 'e' AND transaction_id = '77' AND seq = 0`,
        mutation: `client_id = 'c77' AND mutation_id = 'm77'`,
        audience: `epoch = 'e' AND audience = ANY ('{org:1,org:2}') AND lsn > '0/10' AND lsn <= '0/1000'`,
        position: `epoch = 'e' AND lsn > '0/10' AND lsn <= '0/20'`,
      }
      for (const [name, condition] of Object.entries(lookUps)) {
        const plan = await harness.query(`EXPLAIN SELECT * FROM tidemark.change_history WHERE ${condition}`)
        const lines = plan.map((row) => row['QUERY PLAN']).join('\n')
        expect(lines, name).toMatch(/Index Scan/)
        expect(lines, name).not.toMatch(/Seq Scan/)
      }
      // This is the statement that SyncDOs send, with their role and parameters.
      const { database, traffic } = watched(harness.connection)
      const identity = { userId: 'u', audiences: ['org:1', 'org:2'] }
      const epoch = harness.capture.state?.epoch
      if (epoch === undefined) throw new Error('unreachable')
      const range = { epoch: epoch.id, from: epoch.headLsn, to: epoch.headLsn, skip: 0, mutationsAfter: ZERO_LSN }
      expect((await readHistory(database, identity, range, () => true)).outcome).toBe('done')
      const [read] = traffic.read
      const gap = ['e', '0/10', '0/1000', ...(read?.params ?? []).slice(3)]
      const plan = await asClient(harness.connection, identity, ({ query }) => query(`EXPLAIN ${read?.text}`, gap))
      const lines = plan.map((row) => row['QUERY PLAN']).join('\n')
      expect(lines).toMatch(/Index (Only )?Scan|Bitmap Index Scan/)
      expect(lines).not.toMatch(/Seq Scan/)
      const rows = await asClient(harness.connection, { userId: 'u', audiences: ['org:1'] }, ({ query }) =>
        query(`SELECT DISTINCT audience FROM tidemark.change_history WHERE epoch = 'e'`),
      )
      expect(rows).toEqual([{ audience: 'org:1' }])
    },
    120_000 * (HISTORY_ROWS / 100_000),
  )
})

describe('history of one row', () => {
  let harness: CaptureHarness
  afterAll(() => harness.close())

  test('HST-R4 a page of it reads no more than a page, however much was changed, and however much has no audience', async () => {
    harness = await startCapture(servers().embedded, 'pgoutput', SCHEMA, sync)
    await harness.query(
      `INSERT INTO tidemark.change_history (epoch, lsn, seq, xid, transaction_id, table_name, operation, row_key, data, audience, schema_version, committed_at)
       SELECT 'e', ('0/' || to_hex(n))::pg_lsn, 0, n, n::text::xid8, 'public.item',
         CASE WHEN n % 8000 = 0 THEN 'truncate' ELSE 'update' END, CASE WHEN n % 8000 > 0 THEN jsonb_build_object('id', greatest(n - 10000, 1)) END,
         '{"note": "x"}', CASE WHEN n <= 10000 AND n <> 8000 THEN 'org:hot' END, 1, now() FROM generate_series(1, 20000) n`,
    )
    await harness.query('ANALYZE tidemark.change_history')
    const page = (below: string | null) =>
      harness.connection.transaction(async ({ query }) => {
        await query(`SELECT set_config('tidemark.audiences', '["org:hot"]', true)`)
        const rows = await query(
          `SELECT lsn::text, operation FROM tidemark.row_history('e', 'public.item', '{"id": 1}', $1::pg_lsn, 0, 10)`,
          [below],
        )
        const [read] = await query(
          `SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_xact_user_tables WHERE relid = 'tidemark.change_history'::regclass`,
        )
        return { rows, read: Number(read?.rows) }
      })
    const lsnOf = (n: number) => `0/${n.toString(16).toUpperCase()}`
    for (const [below, last, truncates] of [
      [null, 9_992, 1],
      [lsnOf(9_001), 8_991, 0],
      [lsnOf(8_005), 7_995, 1],
    ] as const) {
      const { rows, read } = await page(below)
      expect(rows).toHaveLength(10)
      expect(rows.at(-1)?.lsn).toBe(lsnOf(last))
      expect(rows.filter(({ operation }) => operation === 'truncate')).toHaveLength(truncates)
      expect(read).toBeLessThan(40)
    }
  })
})
