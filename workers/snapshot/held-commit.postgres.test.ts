import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { embeddedBinaries } from '../../cli/postgres/postgres-binaries.ts'
import { type PostgresServer, startPostgresServer } from '../../cli/postgres/postgres-server.ts'
import { unprivileged } from '../../cli/postgres/unprivileged.ts'
import { startWebSocketProxy, type WebSocketProxy } from '../../cli/postgres/websocket-proxy.ts'
import { createDatabase, type TestDatabase } from '../../testing/postgres/create-database.ts'
import { freePort } from '../../testing/postgres/free-port.ts'
import { FAST_SETTINGS, makeTemplate, SYSTEM_BINARIES } from '../../testing/postgres/global-setup.ts'
import { holdCommits, releaseCommits } from '../../testing/postgres/hold-commits.ts'
import { startTestServer } from '../../testing/postgres/start-test-server.ts'
import { TEMPLATE_DATABASE, type TestServer } from '../../testing/postgres/test-server.ts'
import { ORG_A, SNAPSHOT_SCHEMA, snapshotSync } from '../../testing/snapshot/snapshot-app.ts'
import {
  arrivals,
  beginEpoch,
  captureTransaction,
  createSlot,
  headOf,
  LineCollector,
  streamOf,
} from '../../testing/snapshot/snapshot-fixture.ts'
import { until } from '../../testing/system/until.ts'
import type { Database } from '../database/index.ts'
import { readSnapshot } from './read-snapshot.ts'

const AUDIENCE = `org:${ORG_A}`
const SLOT = 'held'

// A server of its own: it holds commits of the whole server up, and begins beyond 2³² transactions.
describe.each([
  ['embedded', embeddedBinaries(), 0],
  ['system', SYSTEM_BINARIES, 2],
])('commits that await a standby, on the %s binaries', (_, binDirectory, xidEpoch) => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-held-'))
  let server: PostgresServer
  let proxy: WebSocketProxy
  let own: TestDatabase
  let reader: Database
  let writer: Database
  let watcher: Database

  beforeAll(async () => {
    const options = {
      binDirectory: String(binDirectory),
      dataDirectory: join(folder, 'data'),
      port: await freePort(),
      password: 'tidemark',
      settings: FAST_SETTINGS,
    }
    server = await startTestServer(options)
    if (xidEpoch > 0) {
      await server.stop()
      const reset = unprivileged().command(join(options.binDirectory, 'pg_resetwal'), [
        '-e',
        String(xidEpoch),
        options.dataDirectory,
      ])
      execFileSync(reset.file, reset.args, { stdio: 'ignore' })
      server = await startPostgresServer(options)
    }
    proxy = await startWebSocketProxy({ host: '127.0.0.1', port: server.port })
    const testServer: TestServer = { name: 'embedded', adminUrl: server.url('postgres'), proxy: proxy.address }
    await makeTemplate(testServer, server.url(TEMPLATE_DATABASE))
    own = await createDatabase(testServer)
    await own.install(SNAPSHOT_SCHEMA, snapshotSync)
    await own.run(`ALTER DATABASE ${own.name} SET synchronous_commit = local`)
    reader = await own.open()
    writer = await own.open()
    watcher = await own.open()
    await writer.query('SET synchronous_commit = on')
    await createSlot(watcher.query, SLOT)
    await beginEpoch(watcher.query, 'epoch')
  })
  afterAll(async () => {
    await Promise.all([reader, writer, watcher].map((one) => one?.close()))
    await proxy?.close()
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('SNP-R3 SNP-02 SNP-05 a commit in the log that the snapshot does not show arrives once, captured already or not', async () => {
    const [{ xid: before } = {}] = await watcher.query('SELECT pg_current_xact_id()::text AS xid')
    expect(BigInt(before ?? 0) >> 32n).toBe(BigInt(xidEpoch))
    await holdCommits(watcher.query, own.open)
    // With a subtransaction, whose own id the log and the snapshot both fold into the top one.
    const held = writer.transaction(async ({ query }) => {
      await query(`INSERT INTO public.item (id, org_id, title) VALUES (100, $1, 'held')`, [ORG_A])
      await query('SAVEPOINT inner_work')
      await query(`INSERT INTO public.item (id, org_id, title) VALUES (101, $1, 'held inside')`, [ORG_A])
      await query('RELEASE SAVEPOINT inner_work')
    })
    await until(
      async () => (await watcher.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)).length > 0,
    )
    // Commits later in the log, and is visible at once.
    await watcher.query(`INSERT INTO public.item (id, org_id) VALUES (102, $1)`, [ORG_A])

    const uncaptured = new LineCollector()
    const first = headOf(await readSnapshot(reader, AUDIENCE, uncaptured))
    const stream = await streamOf(watcher.query, SLOT)
    const transaction = stream.find((one) => one.items.includes('100'))
    if (!transaction) throw new Error('The slot does not show the held commit.')
    expect(transaction.items).toEqual(['100', '101'])
    expect(uncaptured.of('public.item').map((line) => line.split('\t')[0])).toEqual(['102'])
    expect(transaction.lsn <= first.fence).toBe(true)

    // Captured while still hidden: the head is past it, and the start must not be.
    const fullXid = String((BigInt(xidEpoch) << 32n) + BigInt(transaction.xid))
    await captureTransaction(watcher.query, 'epoch', transaction, fullXid)
    const captured = new LineCollector()
    const second = headOf(await readSnapshot(reader, AUDIENCE, captured))
    expect(second.start < transaction.lsn).toBe(true)

    await releaseCommits(watcher.query)
    await held
    const whole = await streamOf(watcher.query, SLOT)
    for (const [head, collector] of [
      [first, uncaptured],
      [second, captured],
    ] as const) {
      const counts = arrivals(head, collector.of('public.item'), whole)
      expect([100, 101, 102].map((id) => counts.get(String(id)))).toEqual([1, 1, 1])
    }
    const after = new LineCollector()
    const third = headOf(await readSnapshot(reader, AUDIENCE, after))
    expect(third.start >= transaction.lsn).toBe(true)
    expect([...arrivals(third, after.of('public.item'), whole).values()]).toEqual([1, 1, 1])
  })
})
