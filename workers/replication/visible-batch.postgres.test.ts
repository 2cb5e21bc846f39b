import { integer, pgTable, varchar } from 'drizzle-orm/pg-core'
import { afterEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { captureCases, serverNamed } from '../../testing/capture/capture-cases.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { holdCommits, releaseCommits } from '../../testing/postgres/hold-commits.ts'
import { until } from '../../testing/system/until.ts'
import type { Database } from '../database/index.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), label: varchar('label') })
const sync = defineSync({ tables: { item: table(item, { audience: 'all' }) } })
const SCHEMA = 'CREATE TABLE item (id int PRIMARY KEY, label varchar(10))'

describe.each(captureCases)(
  'a commit that is in the log and not visible yet, $decoder on $server',
  ({ decoder, server }) => {
    let harness: CaptureHarness
    const opened: Database[] = []
    afterEach(async () => {
      await releaseCommits(harness.query)
      for (const one of opened.splice(0)) await one.close()
      await harness.close()
    })

    const open = async () => {
      const connection = await harness.database.open()
      opened.push(connection)
      await connection.query('SET search_path = public')
      await connection.query('SET synchronous_commit = on')
      return connection
    }
    const pidOf = async (connection: Database) =>
      (await connection.query('SELECT pg_backend_pid()::text AS pid'))[0]?.pid ?? ''
    const doing = async (pid: string) =>
      (await harness.query('SELECT wait_event, query FROM pg_stat_activity WHERE pid = $1::int', [pid]))[0]

    test('FLD-122 CAP-R49 what clears a batch is seen with everything that the batch tells: an altered table halts', async () => {
      harness = await startCapture(serverNamed(server), decoder, SCHEMA, sync)
      await harness.run(`INSERT INTO item VALUES (1, 'short')`)
      await harness.drain()
      const writer = await open()
      const capturePid = await pidOf(harness.connection)
      await harness.run('SET synchronous_commit = local')
      await holdCommits(harness.query, harness.database.open)
      const writerPid = await pidOf(writer)
      await writer.query('BEGIN')
      await writer.query('ALTER TABLE item ALTER label TYPE varchar(20)')
      await writer.query(`INSERT INTO item VALUES (2, 'longer than before')`)
      const committing = writer.query('COMMIT')
      await until(async () => (await doing(writerPid))?.wait_event === 'SyncRep')
      const draining = harness.drain().then(
        () => null,
        (error: unknown) => error,
      )
      await until(async () => (await doing(capturePid))?.query?.includes('fault AS MATERIALIZED') === true)
      await releaseCommits(harness.query)
      await committing
      expect(await draining).toMatchObject({ kind: 'schema-drift', message: expect.stringContaining('item') })
      const items = (await harness.history()).filter((row) => row.table === 'public.item')
      expect(items.map(({ key }) => key?.id)).toEqual(['1'])
    })
  },
)
