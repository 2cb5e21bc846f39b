import type { Lsn } from './lsn.ts'
import type { PredictedChange, Rejection } from './mutation.ts'
import type { Xid } from './xid-visibility.ts'

/** A column's value as Postgres text under the session settings of `PINNED_SETTINGS`; NULL as null. */
export type Value = string | null

/** Column name → value. An absent column means unchanged. */
export type Row = Readonly<Record<string, Value>>

/**
 * One row's change as it travels: all that a replica needs to apply it, and nothing that a session may not see.
 *
 * `audience` is the audience that receives the change; for a truncate it is null and every session receives it.
 */
export type Change =
  | { readonly op: 'insert'; readonly table: string; readonly audience: string; readonly data: Row }
  | { readonly op: 'update'; readonly table: string; readonly audience: string; readonly key: Row; readonly data: Row }
  | { readonly op: 'delete'; readonly table: string; readonly audience: string; readonly key: Row }
  | { readonly op: 'truncate'; readonly table: string; readonly audience: null }

/** The mutation that a transaction is, or whose rejection it records; sent to the mutation's own client alone. */
export interface TransactionMutation {
  readonly client: string
  readonly counter: number
  /** Null for a mutation that was committed. */
  readonly rejection: Rejection | null
  /** The author's prediction, so that they receive only the differences; null: they receive the rows as captured. */
  readonly predicted: readonly PredictedChange[] | null
}

/** One committed transaction, as far as its reader may see it, changes in commit order. */
export interface Transaction {
  readonly lsn: Lsn
  /** Top-level transaction id, for the visibility rule of hydration. */
  readonly xid: Xid
  /** ISO 8601, UTC. */
  readonly committedAt: string
  readonly changes: readonly Change[]
  /** Present only where the reader is the client whose mutation it is. */
  readonly mutation?: TransactionMutation
}

/**
 * Session settings under which every value becomes text, on the slot's connection and in snapshots alike.
 *
 * `search_path` is pinned too: it decides whether regclass and enum casts print a schema.
 */
export const PINNED_SETTINGS: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  lc_monetary: 'C',
  xmloption: 'content',
  search_path: 'pg_catalog',
}
