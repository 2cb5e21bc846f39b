import type { Query } from '../../db/query.ts'
import { isVisibleIn, type Lsn, parsePgLsn, parsePgSnapshot, type TableDefinition } from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import type { LineSink, NotYet, SnapshotHead, SnapshotReceiver } from '../../workers/snapshot/read-snapshot.ts'
import { until } from '../system/until.ts'

/** Begins an epoch as capture does once its slot exists, and waits until older transactions of the server have ended. */
export async function beginEpoch(query: Query, id: string): Promise<void> {
  await beginYoungEpoch(query, id)
  await until(async () => {
    const [row] = await query(
      'SELECT pg_snapshot_xmin(pg_current_snapshot()) > start_xid AS grown FROM tidemark.epoch WHERE id = $1',
      [id],
    )
    return row?.grown === 't'
  })
}

/** Begins an epoch while older transactions may still be open, for which its snapshots must wait. */
export async function beginYoungEpoch(query: Query, id: string): Promise<void> {
  await query('UPDATE tidemark.epoch SET ended_at = now() WHERE ended_at IS NULL')
  await query(
    `INSERT INTO tidemark.epoch (id, slot_name, owner, decoder, system_identifier, timeline, start_lsn, start_xid, head_lsn, floor_lsn, definition_version)
     SELECT $1, 'none', 'test', 'pgoutput', '1', 1, lsn, pg_current_xact_id(), lsn, lsn, (SELECT max(version) FROM tidemark.sync_definition)
     FROM (SELECT pg_current_wal_insert_lsn() AS lsn) AS now`,
    [id],
  )
}

/** One committed transaction in the log: the ids of `item` it inserted. */
export interface StreamedTransaction {
  readonly xid: string
  readonly lsn: Lsn
  readonly items: readonly string[]
}

export async function createSlot(query: Query, name: string): Promise<void> {
  await query(`SELECT pg_create_logical_replication_slot($1, 'test_decoding')`, [name])
}

/** Reads everything that the slot holds, in commit order, through Postgres' own test decoder. */
export async function streamOf(query: Query, slot: string): Promise<StreamedTransaction[]> {
  const rows = await query(`SELECT lsn::text, xid::text, data FROM pg_logical_slot_peek_changes($1, NULL, NULL)`, [
    slot,
  ])
  const transactions: StreamedTransaction[] = []
  let items: string[] = []
  for (const { lsn, xid, data } of rows) {
    if (data?.startsWith('BEGIN')) items = []
    const inserted = /^table public\.item: INSERT: id\[integer\]:(\d+)/.exec(data ?? '')
    if (inserted?.[1]) items.push(inserted[1])
    if (data?.startsWith('COMMIT')) transactions.push({ xid: xid ?? '', lsn: parsePgLsn(lsn ?? ''), items })
  }
  return transactions
}

/** Stores a transaction's place as capture does, and moves the head there. */
export async function captureTransaction(
  query: Query,
  epoch: string,
  transaction: StreamedTransaction,
  fullXid: string,
): Promise<void> {
  await query(
    `INSERT INTO tidemark.change_history (epoch, lsn, seq, xid, transaction_id, table_name, operation, audience, schema_version, committed_at)
     VALUES ($1, $2::text::pg_lsn, 0, $3::text::bigint, $4::text::xid8, 'public.item', 'insert', 'org:x', 1, now())`,
    [epoch, pgLsn(transaction.lsn), transaction.xid, fullXid],
  )
  await moveHead(query, epoch, transaction.lsn)
}

async function moveHead(query: Query, epoch: string, lsn: Lsn): Promise<void> {
  await query('UPDATE tidemark.epoch SET head_lsn = greatest(head_lsn, $2::text::pg_lsn) WHERE id = $1', [
    epoch,
    pgLsn(lsn),
  ])
}

function pgLsn(lsn: Lsn): string {
  return `${lsn.slice(0, 8)}/${lsn.slice(8)}`
}

/** Counts arrivals of each item at a replica that loads the snapshot, then streams by the specification's rule. */
export function arrivals(
  head: SnapshotHead,
  loaded: readonly string[],
  stream: readonly StreamedTransaction[],
): Map<string, number> {
  const counts = new Map<string, number>()
  const arrive = (id: string) => counts.set(id, (counts.get(id) ?? 0) + 1)
  for (const line of loaded) arrive(line.split('\t')[0] ?? '')
  const snapshot = parsePgSnapshot(head.snapshot)
  for (const { lsn, xid, items } of stream) {
    if (lsn <= head.start || (lsn <= head.fence && isVisibleIn(snapshot, xid))) continue
    items.forEach(arrive)
  }
  return counts
}

/** Keeps the lines of each table; `onLine` may hold the reading up. */
export class LineCollector implements SnapshotReceiver {
  readonly lines = new Map<string, string[]>()
  readonly #onLine: (table: string, line: string) => void | Promise<void>

  constructor(onLine: (table: string, line: string) => void | Promise<void> = () => {}) {
    this.#onLine = onLine
  }

  table(table: TableDefinition): LineSink {
    const lines: string[] = []
    this.lines.set(table.id, lines)
    return {
      line: (line) => {
        lines.push(line)
        return this.#onLine(table.id, line)
      },
      end: async () => {},
    }
  }

  of(table: string): string[] {
    return (this.lines.get(table) ?? []).toSorted()
  }
}

export function headOf(outcome: SnapshotHead | NotYet): SnapshotHead {
  if ('wait' in outcome) throw new Error(`The snapshot waits: ${outcome.wait}`)
  return outcome
}

/** Resolves once a backend waits for `event`, which names a wait event or a type of them. */
export async function untilWaiting(database: Database, pid: string, event: string): Promise<void> {
  await until(async () => {
    const [row] = await database.query(
      'SELECT wait_event_type, wait_event FROM pg_stat_activity WHERE pid = $1::text::int',
      [pid],
    )
    return row?.wait_event === event || row?.wait_event_type === event
  })
}
