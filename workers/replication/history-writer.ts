import { formatPgLsn, type Lsn } from '../../protocol/index.ts'
import { type DatabaseTransaction, textArray } from '../database/index.ts'
import type { HistoryRow } from './rules/to-changes.ts'

/** What every row of a transaction shares. */
export interface TransactionHeader {
  readonly lsn: Lsn
  readonly xid: string
  /** 64 bits. */
  readonly transactionId: string
  readonly committedAt: string
  readonly schemaVersion: number
}

/** Arrays travel as one text parameter each: a page of any size is one statement with a dozen parameters. */
const INSERT = `
  INSERT INTO tidemark.change_history
    (epoch, lsn, seq, xid, transaction_id, table_name, operation, row_key, data, old_data, audience, schema_version, committed_at)
  SELECT $1, t.lsn, c.seq, t.xid, t.transaction_id, c.table_name, c.operation, c.row_key, c.data, c.old_data, c.audience,
    t.schema_version, t.committed_at
  FROM unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[], $8::jsonb[], $9::text[])
      AS c(at, seq, table_name, operation, row_key, data, old_data, audience)
    JOIN unnest($10::pg_lsn[], $11::bigint[], $12::xid8[], $13::timestamptz[], $14::bigint[])
      WITH ORDINALITY AS t(lsn, xid, transaction_id, committed_at, schema_version, at) ON t.at = c.at
  ON CONFLICT (epoch, lsn, seq) DO NOTHING`

/** Pages are stored at this many rows or characters, whichever comes first. */
const PAGE_ROWS = 5_000
const PAGE_CHARS = 2 * 1024 * 1024

/** Stores rows page by page in the open transaction; one page is on its way while the next is gathered. */
export class HistoryWriter {
  readonly #transaction: DatabaseTransaction
  readonly #epoch: string
  #rows: { at: number; seq: number; row: HistoryRow }[] = []
  #headers: TransactionHeader[] = []
  #chars = 0
  #pending: Promise<unknown> = Promise.resolve()

  constructor(transaction: DatabaseTransaction, epoch: string) {
    this.#transaction = transaction
    this.#epoch = epoch
  }

  add(header: TransactionHeader, seq: number, row: HistoryRow): void {
    if (this.#headers.at(-1) !== header) this.#headers.push(header)
    this.#rows.push({ at: this.#headers.length, seq, row })
    this.#chars += (row.key?.length ?? 0) + (row.data?.length ?? 0) + (row.oldData?.length ?? 0) + 100
  }

  get isPageFull(): boolean {
    return this.#rows.length >= PAGE_ROWS || this.#chars >= PAGE_CHARS
  }

  /** Sends the page begun; resolves when the page before it is stored. */
  async flush(): Promise<void> {
    await this.#pending
    if (this.#rows.length === 0) return
    const rows = this.#rows
    const headers = this.#headers
    this.#rows = []
    this.#headers = []
    this.#chars = 0
    this.#pending = this.#transaction.rows(INSERT, [
      this.#epoch,
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
    ])
    this.#pending.catch(() => {}) // Seen by the next flush or by `finish`.
  }

  async finish(): Promise<void> {
    await this.flush()
    await this.#pending
  }
}
