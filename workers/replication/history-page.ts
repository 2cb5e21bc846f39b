import { formatPgLsn, type Lsn } from '../../protocol/index.ts'
import { type Parameter, textArray } from '../database/index.ts'
import { LineBuffer } from './line-buffer.ts'
import type { HistoryRow } from './rules/to-changes.ts'

/** The columns that are equal in all rows of a transaction. */
export interface TransactionHeader {
  readonly lsn: Lsn
  readonly xid: string
  /** The transaction's id in 64 bits. */
  readonly transactionId: string
  readonly committedAt: string
  readonly schemaVersion: number
  /** The client whose mutation this is, and the mutation's id, `client:counter`; both null where nobody pushed it. */
  readonly clientId: string | null
  readonly mutationId: string | null
  /** The app's annotation of the transaction, as JSON text; null where there is none. */
  readonly metadata: string | null
}

/**
 * A page of any size is one statement with 18 parameters: numbers and names as arrays, JSON one value a line, which
 * needs no escaping on either side.
 */
export const INSERT_SELECT = `
  INSERT INTO tidemark.change_history
    (epoch, lsn, seq, xid, transaction_id, table_name, operation, row_key, data, old_data, audience, schema_version, committed_at,
     client_id, mutation_id, metadata)
  SELECT $1, t.lsn, c.seq, t.xid, t.transaction_id, k.table_name, k.operation, c.row_key::jsonb, c.data::jsonb,
    c.old_data::jsonb, k.audience, t.schema_version, t.committed_at, t.client_id, t.mutation_id, t.metadata
  FROM ROWS FROM (
        unnest($2::int[], $3::int[], $4::int[]),
        string_to_table($5, E'\\n', ''), string_to_table($6, E'\\n', ''), string_to_table($7, E'\\n', '')
      ) AS c(at, kind, seq, row_key, data, old_data)
    JOIN unnest($8::text[], $9::text[], $10::text[])
      WITH ORDINALITY AS k(table_name, operation, audience, kind) ON k.kind = c.kind
    JOIN unnest($11::pg_lsn[], $12::bigint[], $13::xid8[], $14::timestamptz[], $15::bigint[],
        $16::text[], $17::text[], $18::jsonb[])
      WITH ORDINALITY AS t(lsn, xid, transaction_id, committed_at, schema_version, client_id, mutation_id, metadata, at) ON t.at = c.at`

/** The server stores one page while the bytes of the next arrive; both take about equally long. */
export const PAGES_UNDER_WAY = 2

/** The columns in which many rows of a page are equal, besides those of their transaction. */
type Kind = Pick<HistoryRow, 'table' | 'operation' | 'audience'>

type Lines = Record<'keys' | 'data' | 'oldData', LineBuffer>

const newLines = (): Lines => ({ keys: new LineBuffer(), data: new LineBuffer(), oldData: new LineBuffer() })

/** Gathers rows of history as the parameters of one statement. */
export abstract class HistoryPage {
  readonly epoch: string
  /** Only transactions above it are stored. */
  readonly head: Lsn
  headers: TransactionHeader[] = []
  chars = 0
  #kinds: Kind[] = []
  #kindPlaces = new Map<string, number>()
  /** Places of each row's header and kind, from 1. */
  #at: number[] = []
  #kind: number[] = []
  #seq: number[] = []
  #lines = newLines()
  /** The lines of the pages taken last, oldest first, whose bytes may be on their way. */
  readonly #takenLines: Lines[] = []

  constructor(epoch: string, head: Lsn) {
    this.epoch = epoch
    this.head = head
  }

  get size(): number {
    return this.#seq.length
  }

  add(header: TransactionHeader, seq: number, row: HistoryRow): void {
    if (this.headers.at(-1) !== header) this.headers.push(header)
    const { key, data, oldData } = row
    this.#at.push(this.headers.length)
    this.#kind.push(this.#placeOf(row))
    this.#seq.push(seq)
    this.#lines.keys.add(key)
    this.#lines.data.add(data)
    this.#lines.oldData.add(oldData)
    this.chars += (key?.length ?? 0) + (data?.length ?? 0) + (oldData?.length ?? 0) + 100
  }

  async annotate(lsn: Lsn, metadata: string, _count: number): Promise<void> {
    this.headers = this.headers.map((header) => (header.lsn === lsn ? { ...header, metadata } : header))
  }

  #placeOf({ table, operation, audience }: Kind): number {
    const last = this.#kinds[(this.#kind.at(-1) ?? 0) - 1]
    if (last?.table === table && last.operation === operation && last.audience === audience)
      return this.#kind.at(-1) ?? 0
    const name = `${operation}\0${table}\0${audience === null ? '' : `=${audience}`}`
    const known = this.#kindPlaces.get(name)
    if (known !== undefined) return known
    this.#kinds.push({ table, operation, audience })
    this.#kindPlaces.set(name, this.#kinds.length)
    return this.#kinds.length
  }

  /** Takes the page's parameters and begins it anew; they are valid until `PAGES_UNDER_WAY` more pages are taken. */
  takeParameters(): Parameter[] {
    const { epoch, headers } = this
    const kinds = this.#kinds
    const params = [
      epoch,
      `{${this.#at.join()}}`,
      `{${this.#kind.join()}}`,
      `{${this.#seq.join()}}`,
      this.#lines.keys.text,
      this.#lines.data.text,
      this.#lines.oldData.text,
      textArray(kinds.map(({ table }) => table)),
      `{${kinds.map(({ operation }) => operation).join()}}`,
      textArray(kinds.map(({ audience }) => audience)),
      `{${headers.map(({ lsn }) => formatPgLsn(lsn)).join()}}`,
      `{${headers.map(({ xid }) => xid).join()}}`,
      `{${headers.map(({ transactionId }) => transactionId).join()}}`,
      textArray(headers.map(({ committedAt }) => committedAt)),
      `{${headers.map(({ schemaVersion }) => schemaVersion).join()}}`,
      textArray(headers.map(({ clientId }) => clientId)),
      textArray(headers.map(({ mutationId }) => mutationId)),
      textArray(headers.map(({ metadata }) => metadata)),
    ]
    this.headers = []
    this.chars = 0
    this.#kinds = []
    this.#kindPlaces = new Map()
    this.#at = []
    this.#kind = []
    this.#seq = []
    this.#takenLines.push(this.#lines)
    this.#lines = (this.#takenLines.length > PAGES_UNDER_WAY && this.#takenLines.shift()) || newLines()
    for (const lines of Object.values(this.#lines)) lines.clear()
    return params
  }
}
