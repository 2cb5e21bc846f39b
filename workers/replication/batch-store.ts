import type { Query } from '../../db/query.ts'
import { formatPgLsn, type Lsn, TidemarkError } from '../../protocol/index.ts'
import { type Database, type DatabaseTransaction, textArray } from '../database/index.ts'
import type { HistoryRow } from './rules/to-changes.ts'
import { findSchemaFault, SCHEMA_FAULTS } from './schema-check.ts'

/** What every row of a transaction shares. */
export interface TransactionHeader {
  readonly lsn: Lsn
  readonly xid: string
  /** 64 bits. */
  readonly transactionId: string
  readonly committedAt: string
  readonly schemaVersion: number
  /** The client's mutation that it is, `client:counter`; null of one that nobody pushed. */
  readonly clientId: string | null
  readonly mutationId: string | null
  /** What the app says of it, as JSON text. */
  readonly metadata: string | null
}

/** Arrays travel as one text parameter each: a page of any size is one statement with a dozen parameters. */
const INSERT_SELECT = `
  INSERT INTO tidemark.change_history
    (epoch, lsn, seq, xid, transaction_id, table_name, operation, row_key, data, old_data, audience, schema_version, committed_at,
     client_id, mutation_id, metadata)
  SELECT $1, t.lsn, c.seq, t.xid, t.transaction_id, c.table_name, c.operation, c.row_key, c.data, c.old_data, c.audience,
    t.schema_version, t.committed_at, t.client_id, t.mutation_id, t.metadata
  FROM unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[], $8::jsonb[], $9::text[])
      AS c(at, seq, table_name, operation, row_key, data, old_data, audience)
    JOIN unnest($10::pg_lsn[], $11::bigint[], $12::xid8[], $13::timestamptz[], $14::bigint[], $15::text[], $16::text[], $17::jsonb[])
      WITH ORDINALITY AS t(lsn, xid, transaction_id, committed_at, schema_version, client_id, mutation_id, metadata, at) ON t.at = c.at`
const ONCE = 'ON CONFLICT (epoch, lsn, seq) DO NOTHING'
const INSERT = `${INSERT_SELECT} ${ONCE}`

/** Nobody else may have begun a new history, and our commit waits until it is durable. */
const DURABLE = `CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
  THEN set_config('synchronous_commit', 'on', true) END AS durable`

/** Everything a short transaction does, in one statement: the fence is the update that every row of the insert needs. */
const STORE_AT_ONCE = `
  WITH fault AS MATERIALIZED (${SCHEMA_FAULTS}),
  fence AS (
    UPDATE tidemark.epoch SET head_lsn = greatest(head_lsn, $18::pg_lsn)
    WHERE id = $1 AND ended_at IS NULL AND NOT EXISTS (SELECT FROM fault)
    RETURNING id, ${DURABLE}
  ),
  stored AS (${INSERT_SELECT} JOIN fence ON fence.id = $1 ${ONCE})
  SELECT (SELECT count(*) FROM fault)::text AS faults, (SELECT count(*) FROM fence)::text AS fenced`

/** Pages are stored at this many rows or characters, whichever comes first. */
const PAGE_ROWS = 5_000
const PAGE_CHARS = 2 * 1024 * 1024
/** Rows that were stored before their transaction was annotated are updated so many at a time. */
const ANNOTATE_ROWS = 50_000

interface PlacedRow {
  /** Place of its header, from 1. */
  readonly at: number
  readonly seq: number
  readonly row: HistoryRow
}

function pageParams(
  epoch: string,
  rows: readonly PlacedRow[],
  headers: readonly TransactionHeader[],
): (string | null)[] {
  return [
    epoch,
    `{${rows.map(({ at }) => at).join()}}`,
    `{${rows.map(({ seq }) => seq).join()}}`,
    textArray(rows.map(({ row }) => row.table)),
    `{${rows.map(({ row }) => row.operation).join()}}`,
    textArray(rows.map(({ row }) => row.key)),
    textArray(rows.map(({ row }) => row.data)),
    textArray(rows.map(({ row }) => row.oldData)),
    textArray(rows.map(({ row }) => row.audience)),
    `{${headers.map(({ lsn }) => formatPgLsn(lsn)).join()}}`,
    `{${headers.map(({ xid }) => xid).join()}}`,
    `{${headers.map(({ transactionId }) => transactionId).join()}}`,
    textArray(headers.map(({ committedAt }) => committedAt)),
    `{${headers.map(({ schemaVersion }) => schemaVersion).join()}}`,
    textArray(headers.map(({ clientId }) => clientId)),
    textArray(headers.map(({ mutationId }) => mutationId)),
    textArray(headers.map(({ metadata }) => metadata)),
  ]
}

/** Where a batch goes; nothing of it is durable before the whole batch is. */
export interface BatchStore {
  /** Called once, before the first row. Throws `unavailable` when the epoch has ended. */
  fence(): Promise<void>
  add(header: TransactionHeader, seq: number, row: HistoryRow): void
  /** Gives all rows of the transaction added last, of which there are `count`, this metadata. */
  annotate(lsn: Lsn, metadata: string, count: number): Promise<void>
  readonly isPageFull: boolean
  /** Sends the page begun; resolves when the page before it is stored. */
  flush(): Promise<void>
  /** Stores what is left, and the head. */
  finish(head: Lsn): Promise<void>
  /** Whether `finish` looks at the schema by itself. */
  readonly checksSchema: boolean
  /** Throws `schema-drift` when a table was altered behind our back. */
  requireSchema(): Promise<void>
}

abstract class Page {
  readonly epoch: string
  rows: PlacedRow[] = []
  headers: TransactionHeader[] = []
  chars = 0

  constructor(epoch: string) {
    this.epoch = epoch
  }

  add(header: TransactionHeader, seq: number, row: HistoryRow): void {
    if (this.headers.at(-1) !== header) this.headers.push(header)
    this.rows.push({ at: this.headers.length, seq, row })
    this.chars += (row.key?.length ?? 0) + (row.data?.length ?? 0) + (row.oldData?.length ?? 0) + 100
  }

  async annotate(lsn: Lsn, metadata: string, _count: number): Promise<void> {
    this.headers = this.headers.map((header) => (header.lsn === lsn ? { ...header, metadata } : header))
  }

  /** Parameters of the page, which begins anew. */
  take(): (string | null)[] {
    const params = pageParams(this.epoch, this.rows, this.headers)
    this.rows = []
    this.headers = []
    this.chars = 0
    return params
  }
}

/** Stores rows page by page in the open transaction; one page is on its way while the next is gathered. */
export class PagedStore extends Page implements BatchStore {
  readonly checksSchema = false
  readonly #transaction: DatabaseTransaction
  #pending: Promise<unknown> = Promise.resolve()
  /** The transaction that the last page sent ends with, or goes on after it. */
  #sentTo: Lsn | null = null

  constructor(transaction: DatabaseTransaction, epoch: string) {
    super(epoch)
    this.#transaction = transaction
  }

  async fence(): Promise<void> {
    const [row] = await this.#transaction.query(
      `SELECT id, ${DURABLE} FROM tidemark.epoch WHERE id = $1 AND ended_at IS NULL FOR UPDATE`,
      [this.epoch],
    )
    if (row === undefined) throw epochEnded()
  }

  get isPageFull(): boolean {
    return this.rows.length >= PAGE_ROWS || this.chars >= PAGE_CHARS
  }

  async flush(): Promise<void> {
    await this.#pending
    if (this.rows.length === 0) return
    this.#sentTo = this.headers.at(-1)?.lsn ?? null
    this.#pending = this.#transaction.rows(INSERT, this.take())
    this.#pending.catch(() => {}) // Seen by the next flush or by `finish`.
  }

  override async annotate(lsn: Lsn, metadata: string, count: number): Promise<void> {
    await super.annotate(lsn, metadata, count)
    if (this.#sentTo !== lsn) return
    await this.#pending
    for (let seq = 0; seq < count; seq += ANNOTATE_ROWS) {
      await this.#transaction.query(
        `UPDATE tidemark.change_history SET metadata = $3::jsonb
         WHERE epoch = $1 AND lsn = $2::pg_lsn AND seq >= $4::int AND seq < $5::int`,
        [this.epoch, formatPgLsn(lsn), metadata, seq, seq + ANNOTATE_ROWS],
      )
    }
  }

  async finish(head: Lsn): Promise<void> {
    await this.flush()
    await this.#pending
    await this.#transaction.query('UPDATE tidemark.epoch SET head_lsn = greatest(head_lsn, $2::pg_lsn) WHERE id = $1', [
      this.epoch,
      formatPgLsn(head),
    ])
  }

  async requireSchema(): Promise<void> {
    await requireSchema(this.#transaction.query)
  }
}

/** Stores a short batch by one statement, which is its own transaction: fence, schema, rows and head in one round trip. */
export class SingleStore extends Page implements BatchStore {
  readonly checksSchema = true
  readonly #database: Database
  readonly isPageFull = false

  constructor(database: Database, epoch: string) {
    super(epoch)
    this.#database = database
  }

  async fence(): Promise<void> {}
  async flush(): Promise<void> {}

  async finish(head: Lsn): Promise<void> {
    const [row] = await this.#database.query(STORE_AT_ONCE, [...this.take(), formatPgLsn(head)])
    if (row?.fenced === '1') return
    if (row?.faults === '0') throw epochEnded()
    await this.requireSchema()
    throw new TidemarkError('unavailable', 'A table was altered while its log was read; it is read again.')
  }

  async requireSchema(): Promise<void> {
    await requireSchema(this.#database.query)
  }
}

const epochEnded = () => new TidemarkError('unavailable', 'The epoch ended while its log was read.')

/** A table altered behind our back may have changed without a trace in what was decoded: store nothing. */
async function requireSchema(query: Query): Promise<void> {
  const fault = await findSchemaFault(query)
  if (fault !== null) throw new TidemarkError('schema-drift', fault)
}
