import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { embeddedBinaries } from '../../cli/postgres/postgres-binaries.ts'
import { type PostgresOptions, type PostgresServer, startPostgresServer } from '../../cli/postgres/postgres-server.ts'
import { startWebSocketProxy, type WebSocketProxy } from '../../cli/postgres/websocket-proxy.ts'
import { defineSync, table } from '../../db/index.ts'
import { type CaptureHarness, startCapture } from '../../testing/capture/capture-harness.ts'
import { freePort } from '../../testing/postgres/free-port.ts'
import { makeTemplate, SYSTEM_BINARIES } from '../../testing/postgres/global-setup.ts'
import { holdCommits, releaseCommits } from '../../testing/postgres/hold-commits.ts'
import { startTestServer } from '../../testing/postgres/start-test-server.ts'
import { TEMPLATE_DATABASE, type TestServer } from '../../testing/postgres/test-server.ts'
import { createSlot } from './slot.ts'

const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org') })
const sync = defineSync({ tables: { item: table(item, { audience: { column: item.org, prefix: 'org' } }) } })

// The tests have servers of their own, because these are killed and hold up every commit.
describe.each([
  { decoder: 'wal2json', binaries: SYSTEM_BINARIES, rewinds: true },
  // Recent servers store a slot's position at once when it is advanced.
  { decoder: 'pgoutput', binaries: embeddedBinaries(), rewinds: false },
] as const)('$decoder and what happens to its server', ({ decoder, binaries, rewinds }) => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-capture-'))
  let options: PostgresOptions
  let server: PostgresServer
  let proxy: WebSocketProxy
  let harness: CaptureHarness

  beforeAll(async () => {
    options = {
      binDirectory: binaries,
      dataDirectory: join(folder, 'data'),
      port: await freePort(),
      password: 'tidemark',
      // The server makes no checkpoint of its own accord, because one would store the slot's position.
      settings: { checkpoint_timeout: '1h', max_wal_size: '4GB' },
    }
    server = await startTestServer(options)
    proxy = await startWebSocketProxy({ host: '127.0.0.1', port: server.port })
    const own: TestServer = { name: 'embedded', adminUrl: server.url('postgres'), proxy: proxy.address }
    await makeTemplate(own, server.url(TEMPLATE_DATABASE))
    harness = await startCapture(own, decoder, 'CREATE TABLE item (id int PRIMARY KEY, org text)', sync)
  })
  afterAll(async () => {
    await harness?.close()
    await proxy?.close()
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const ids = async () => (await harness.history()).map(({ key }) => key?.id)
  const confirmed = async () =>
    (await harness.query('SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots'))[0]?.lsn

  test('FLT-02 FLT-05 CAP-R11 a crash of Postgres rewinds the slot, and the replay stores nothing twice', async () => {
    await harness.query('CHECKPOINT')
    await harness.run(`INSERT INTO item VALUES (1, 'a');\nINSERT INTO item VALUES (2, 'a')`)
    await harness.drain()
    const epoch = harness.capture.state?.epoch.id
    const before = await confirmed()
    await server.kill()
    await expect(harness.cycle()).rejects.toMatchObject({ kind: 'unavailable' })
    server = await startPostgresServer(options)
    await harness.reconnect()
    expect((await confirmed()) !== before).toBe(rewinds)
    await harness.run(`INSERT INTO item VALUES (3, 'a')`)
    await harness.drain()
    expect(await ids()).toEqual(['1', '2', '3'])
    expect(harness.capture.state?.epoch.id).toBe(epoch)
  })

  test('CAP-32 CAP-R2 nothing is told of a commit before our own is durable', async () => {
    await harness.drain()
    const waiting = async () =>
      (await harness.query(`SELECT count(*)::text AS n FROM pg_stat_activity WHERE wait_event = 'SyncRep'`))[0]?.n
    await harness.query('SET synchronous_commit = local')
    await harness.connection.query('SET synchronous_commit = local')
    await holdCommits(harness.query, harness.database.open)
    await harness.run(`INSERT INTO item VALUES (10, 'a')`)
    const told = harness.batches.length
    const cycle = harness.drain()
    // Capture waits for the standby even though its session is set to `local`.
    while ((await waiting()) !== '1');
    expect(harness.batches).toHaveLength(told)
    await releaseCommits(harness.query)
    await cycle
    expect(harness.batches.length).toBeGreaterThan(told)
    expect((await ids()).at(-1)).toBe('10')
  })

  test('CAP-19 CAP-R8 an idle cycle writes nothing to the log and feeds no other', async () => {
    await harness.drain()
    const position = async () =>
      (
        await harness.query(
          'SELECT pg_current_wal_insert_lsn()::text AS lsn, pg_snapshot_xmax(pg_current_snapshot())::text AS xid',
        )
      )[0]
    // The server itself writes a record now and then, but a record of the cycles would be there every time.
    let idle = false
    for (let time = 0; time < 20 && !idle; time += 1) {
      const before = await position()
      await harness.cycle()
      await harness.cycle()
      const after = await position()
      expect(after?.xid).toBe(before?.xid)
      idle = after?.lsn === before?.lsn
    }
    expect(idle).toBe(true)
  })

  test('CAP-25 CAP-R15 making a slot gives up on an open write transaction with the remedy, and succeeds after it', async () => {
    const open = await harness.database.open()
    await open.query('BEGIN')
    await open.query(`INSERT INTO public.item VALUES (20, 'a')`)
    const make = () => createSlot(harness.database.env, 'another', decoder, { types: [], tables: [] }, 1_000)
    await expect(make()).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('pg_stat_activity'),
    })
    await open.query('COMMIT')
    await open.close()
    expect(await make()).toMatchObject({ decoder })
    await harness.query(`SELECT pg_drop_replication_slot('another')`)
  })
})
