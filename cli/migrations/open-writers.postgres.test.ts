import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, describe, expect, test } from 'vitest'
import { applyDefinition } from '../../db/definition/apply-definition.ts'
import { declaredNames, defineSync, type Sync, table } from '../../db/index.ts'
import { isVisibleIn, parsePgSnapshot } from '../../protocol/index.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { headOf, LineCollector } from '../../testing/snapshot/snapshot-fixture.ts'
import { until } from '../../testing/system/until.ts'
import { readSnapshot } from '../../workers/snapshot/read-snapshot.ts'
import { retryLocks } from './retry-locks.ts'

const columns = { id: integer('id').primaryKey(), note: text('note') }
const forAll = { audience: 'all' } as const
const b = table(pgTable('b', columns), forAll)
const fewer = defineSync({ tables: { b } })
const withTable = (name: string) => defineSync({ tables: { b, joining: table(pgTable(name, columns), forAll) } })
const watching = defineSync({ tables: { b }, watch: [{ table: pgTable('a', columns) }] })
const SCHEMA = `
  CREATE TABLE a (id int PRIMARY KEY, note text);
  CREATE TABLE b (id int PRIMARY KEY, note text);
  CREATE TABLE rooted (id int PRIMARY KEY, note text) PARTITION BY HASH (id);
  CREATE TABLE leaf PARTITION OF rooted FOR VALUES WITH (MODULUS 1, REMAINDER 0)`

describe.each(captureCases)(
  'a writer that is open while its table joins, $decoder on $server',
  ({ decoder, server }) => {
    let harness: CaptureHarness
    const opened: { close(): Promise<void> }[] = []
    afterEach(async () => {
      for (const database of opened.splice(0)) await database.close()
      await harness.close()
    })

    async function open() {
      const database = await harness.database.open()
      opened.push(database)
      return database
    }

    /** Puts a definition in force as `migrate` does; `isDone` is true once that has ended. */
    async function migrate(sync: Sync, waitMs = 100_000) {
      const database = await open()
      const state = { isDone: false }
      const ended = retryLocks(database, declaredNames(sync), waitMs, (query) => applyDefinition(query, sync)).finally(
        () => {
          state.isDone = true
        },
      )
      return { state, ended }
    }

    const isWaitedFor = async (name: string) =>
      (await harness.query('SELECT FROM pg_locks WHERE relation = to_regclass($1) AND NOT granted', [name])).length > 0

    /** The keys of a table in a replica that loads now and then streams everything captured so far. */
    async function arriving(name: string, load: Awaited<ReturnType<typeof snapshot>>): Promise<string[]> {
      const { head, lines } = load
      const epochs = await harness.query(
        `SELECT row_key ->> 'id' AS id, transaction_id::text AS xid FROM tidemark.change_history
       WHERE operation = 'insert' AND table_name = $1 AND lsn > $2::pg_lsn`,
        [`public.${name}`, `${head.start.slice(0, 8)}/${head.start.slice(8)}`],
      )
      const seen = parsePgSnapshot(head.snapshot)
      const streamed = epochs.filter(({ xid }) => !isVisibleIn(seen, xid ?? '')).map(({ id }) => id ?? '')
      return [...(lines.get(`public.${name}`) ?? []).map((line) => line.split('\t')[0] ?? ''), ...streamed].sort()
    }

    async function snapshot() {
      const database = await open()
      const collected = new LineCollector()
      const head = headOf(await readSnapshot(database, 'all', collected))
      return { head, lines: collected.lines }
    }

    const joining = [{ what: 'a table', name: 'a', written: 'a' }]
    if (decoder === 'pgoutput') joining.push({ what: 'a leaf', name: 'rooted', written: 'leaf' })
    test.each(joining)(
      'FLD-37 CAP-R45 $what joins when its open writers have ended: what they wrote is not lost',
      async ({ name, written }) => {
        harness = await startCapture(serverNamed(server), decoder, SCHEMA, withTable(name))
        await (await migrate(fewer)).ended
        await harness.drain()
        const writer = await open()
        await writer.query('BEGIN')
        await writer.query(`INSERT INTO public.${written} VALUES (1, 'open writer')`)
        const { state, ended } = await migrate(withTable(name))
        await until(async () => state.isDone || (await isWaitedFor(written)))
        expect(state.isDone).toBe(false)
        await harness.drain()
        await writer.query('COMMIT')
        await ended
        await harness.drain()
        const load = await snapshot()
        await harness.run(`INSERT INTO ${name} VALUES (2, 'later')`)
        await harness.drain()
        expect(await arriving(name, load)).toEqual(['1', '2'])
      },
    )

    test('FLD-37 CAP-R45 a table that was published by another hand waits for its writers as well', async () => {
      harness = await startCapture(serverNamed(server), decoder, SCHEMA, fewer)
      await harness.run('ALTER TABLE a REPLICA IDENTITY FULL')
      const writer = await open()
      await writer.query('BEGIN')
      await writer.query(`INSERT INTO public.a VALUES (1, 'open writer')`)
      await harness.run('ALTER PUBLICATION tidemark ADD TABLE a')
      const { state, ended } = await migrate(withTable('a'))
      await until(async () => state.isDone || (await isWaitedFor('a')))
      expect(state.isDone).toBe(false)
      await writer.query('COMMIT')
      await ended
      await harness.drain()
      expect(await arriving('a', await snapshot())).toEqual(['1'])
    })

    test('FLD-37 CAP-R45 a watched table joins when its open writers have ended', async () => {
      harness = await startCapture(serverNamed(server), decoder, SCHEMA, watching)
      await (await migrate(fewer)).ended
      const writer = await open()
      await writer.query('BEGIN')
      await writer.query(`INSERT INTO public.a VALUES (1, 'open writer')`)
      const { state, ended } = await migrate(watching)
      await until(async () => state.isDone || (await isWaitedFor('a')))
      expect(state.isDone).toBe(false)
      await writer.query('COMMIT')
      await ended
      await harness.run(`INSERT INTO a VALUES (2, 'later')`)
      await harness.drain()
      expect((await harness.history()).filter(({ operation }) => operation === 'rights')).toHaveLength(1)
    })

    test('FLD-38 DEF-R1 where the lock cannot be had, the message says who holds the table, and nothing was changed', async () => {
      harness = await startCapture(serverNamed(server), decoder, SCHEMA, fewer)
      const writer = await open()
      await writer.query('BEGIN')
      await writer.query(`INSERT INTO public.a VALUES (1, 'open writer')`)
      const [own] = await writer.query('SELECT pg_backend_pid()::text AS pid')
      const { ended } = await migrate(withTable('a'), 0)
      await expect(ended).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(new RegExp(`Process ${own?.pid} .*public\\.a.* in an open transaction`)),
      })
      const [a] = await harness.query(`SELECT relreplident AS identity FROM pg_class WHERE oid = 'a'::regclass`)
      expect(a?.identity).toBe('d')
      await writer.query('COMMIT')
      await (await migrate(withTable('a'), 0)).ended
    })
  },
)
