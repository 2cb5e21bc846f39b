import type { ErrorKind } from '../../protocol/index.ts'
import type { RawRow, ResultField } from '../store/text-result.ts'
import type { RowPart } from './rules/diff-rows.ts'

/** A query as it comes to the engine. Parameters are what a structured clone keeps and PGlite takes. */
export interface QueryText {
  readonly text: string
  readonly params: readonly unknown[]
}

/** What a client has of a query: it gets the difference to this. */
export interface HeldResult {
  readonly fields: readonly ResultField[]
  readonly rows: readonly RawRow[]
}

/** An error as data. */
export interface LiveFault {
  readonly message: string
  /** The kind of a TidemarkError; null for any other error. */
  readonly kind: ErrorKind | null
  /** SQLSTATE and the like, as Postgres gave them. */
  readonly details: Readonly<Record<string, string>>
}

/** A message of the engine to a client, of one of its queries. */
export type LiveMessage =
  | {
      readonly type: 'result'
      readonly query: number
      /** Null where they are as before. */
      readonly fields: readonly ResultField[] | null
      readonly parts: readonly RowPart[]
    }
  /** The query has no result now; where this is final it has ended. What is held stays. */
  | { readonly type: 'fault'; readonly query: number; readonly fault: LiveFault; readonly isFinal: boolean }
  /** Everything committed before the `refresh` of this number is shown, or a fault is. */
  | { readonly type: 'refreshed'; readonly query: number; readonly refresh: number }

/** The calls of one client; numbers of queries and refreshes are the client's own. */
export interface LiveConnection {
  /** Opens a query; the first result is a difference to what is held, or to nothing. */
  open(query: number, text: QueryText, held?: HeldResult): void
  /** Notes that a result has arrived; until then no further one is sent. */
  acknowledge(query: number): void
  /** Runs the query again, whatever was committed. */
  refresh(query: number, refresh: number): void
  close(query: number): void
  /** Ends all of the client's queries. */
  closeClient(): void
}

/** An open query, as a debug panel shows it. */
export interface LiveQueryDescription {
  readonly text: string
  readonly params: number
  readonly clients: number
  /** Names of the tables whose touches run it again, as SQL. */
  readonly tables: readonly string[]
  /** Columns that it holds to one value, by which touches of other rows are told apart. */
  readonly keys: readonly string[]
  /** It runs again at each commit. */
  readonly runsAlways: boolean
  readonly state: 'new' | 'waiting' | 'open' | 'ended'
  readonly rows: number
  readonly runs: number
  readonly lastMs: number
  readonly totalMs: number
}
