import type { AppliedDefinition, Sync } from '../../db/index.ts'
import type { Query } from '../../db/query.ts'
import type { Database } from '../../workers/database/index.ts'
import { Capture } from '../../workers/replication/capture.ts'
import type { CaptureSettings, CycleResult } from '../../workers/replication/capture-state.ts'
import { type CaptureMemory, NO_MEMORY } from '../../workers/replication/rules/epoch-decision.ts'
import type { RoutedBatch } from '../../workers/replication/rules/subscription.ts'
import { createDatabase, type TestDatabase } from '../postgres/create-database.ts'
import type { TestServer } from '../postgres/test-server.ts'
import { useForSuite } from '../postgres/use-for-suite.ts'

export interface HistoryEntry {
  readonly lsn: string
  readonly seq: number
  readonly table: string
  readonly operation: string
  readonly key: Record<string, string | null> | null
  readonly data: Record<string, string | null> | null
  readonly oldData: Record<string, string | null> | null
  readonly audience: string | null
  readonly schemaVersion: number
}

/** One database with capture running in this process, by the same adapters the Durable Object uses. */
export interface CaptureHarness {
  readonly database: TestDatabase
  /** The connection that capture uses. */
  connection: Database
  /** The memory of the last object; replace it to play a wiped or restored storage. */
  memory: CaptureMemory
  readonly batches: RoutedBatch[]
  readonly settings: CaptureSettings
  /** The time on capture's clock. */
  nowMs: number
  capture: Capture
  /** Runs statements of the app on a connection of its own, without any transaction around them. */
  run(sql: string): Promise<void>
  readonly query: Query
  /** Runs a cycle; a short one takes the short way given a second connection, as there is for the harness's own. */
  cycle(through?: Database, peeker?: Database | null): Promise<CycleResult>
  /** Runs cycles until nothing is waiting. */
  drain(through?: Database): Promise<void>
  /** Opens new connections after the server went away. */
  reconnect(): Promise<void>
  /** Makes a new object over the same storage, as after an eviction. */
  restart(settings?: Partial<CaptureSettings>): void
  history(epoch?: string): Promise<HistoryEntry[]>
  install(schema: string, sync: Sync): Promise<AppliedDefinition>
  close(): Promise<void>
}

/** Starts capture for the whole suite. */
export function useCapture(...start: Parameters<typeof startCapture>): CaptureHarness {
  return useForSuite(
    () => startCapture(...start),
    (harness) => harness.close(),
  )
}

export async function startCapture(
  server: TestServer,
  decoder: 'auto' | 'wal2json' | 'pgoutput',
  schema: string,
  sync: Sync,
): Promise<CaptureHarness> {
  const database = await createDatabase(server)
  await database.install(schema, sync)
  const connection = await database.open()
  // There is a second connection, as in watch mode, so that short cycles take the short way.
  let peeker = await database.open()
  let app = await database.open()
  await app.query('SET search_path = public')
  const settings: CaptureSettings = {
    env: database.env,
    owner: 'tests',
    slotName: `slot_${database.name}`,
    decoder,
    driftWaitMs: 3_600_000,
    nowMs: () => harness.nowMs,
  }
  const harness: CaptureHarness = {
    database,
    connection,
    memory: NO_MEMORY,
    batches: [],
    settings,
    nowMs: 1,
    capture: new Capture(settings, store()),
    run: async (sql) => {
      for (const statement of sql.split(';\n')) if (statement.trim() !== '') await app.query(statement)
    },
    query: (text, params) => app.query(text, params),
    reconnect: async () => {
      await harness.connection.close()
      await peeker.close()
      await app.close()
      peeker = await database.open()
      harness.connection = await database.open()
      app = await database.open()
      await app.query('SET search_path = public')
    },
    cycle: (through = harness.connection, peeking = through === harness.connection ? peeker : null) =>
      harness.capture.cycle(
        through,
        () => true,
        (batch) => void harness.batches.push(batch),
        { peeker: peeking },
      ),
    drain: async (through) => {
      while ((await harness.cycle(through)).more);
    },
    restart: (changed) => {
      harness.capture = new Capture({ ...settings, ...changed }, store())
    },
    history: async (epoch) => {
      const rows = await harness.connection.query(
        `SELECT lsn::text, seq::text, table_name, operation, row_key::text, data::text, old_data::text, audience, schema_version::text
         FROM tidemark.change_history
         WHERE epoch = coalesce($1, (SELECT id FROM tidemark.epoch WHERE ended_at IS NULL))
         ORDER BY change_history.lsn, change_history.seq`,
        [epoch ?? null],
      )
      return rows.map(readEntry)
    },
    install: async (text, definition) => {
      const applied = await database.install(text, definition)
      return applied
    },
    close: async () => {
      await harness.connection.close()
      await peeker.close()
      await app.close()
      await database.drop()
    },
  }
  function store() {
    return {
      read: () => harness.memory,
      write: (memory: CaptureMemory) => {
        harness.memory = memory
      },
    }
  }
  await harness.drain()
  return harness
}

function readEntry(row: Record<string, string | null>): HistoryEntry {
  const json = (text: string | null | undefined) => JSON.parse(text ?? 'null')
  return {
    lsn: row.lsn ?? '',
    seq: Number(row.seq),
    table: row.table_name ?? '',
    operation: row.operation ?? '',
    key: json(row.row_key),
    data: json(row.data),
    oldData: json(row.old_data),
    audience: row.audience ?? null,
    schemaVersion: Number(row.schema_version),
  }
}
