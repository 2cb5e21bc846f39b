import type { SQL } from 'drizzle-orm'
import type { AnyPgColumn, PgTable } from 'drizzle-orm/pg-core'
import { TidemarkError } from '../protocol/index.ts'
import type { Action } from './action.ts'
import { syncFaults, tableOptionFaults } from './check-sync.ts'
import type { Audience } from './definition/audience-chain.ts'

/**
 * The conflict that a resolver gets: values are Postgres text, NULL is null; `mine` and `basis` have the columns that
 * the author changed.
 */
export interface Conflict {
  /** The row as it stands on the server, hidden columns left out. */
  readonly server: Readonly<Record<string, string | null>>
  readonly mine: Readonly<Record<string, string | null>>
  readonly basis: Readonly<Record<string, string | null>>
  /** The columns that both sides changed. */
  readonly columns: readonly string[]
}

/**
 * Returns the values to write for the columns in conflict; a column it leaves out keeps the server's. Throwing rejects
 * the mutation.
 */
export type ConflictResolver = (conflict: Conflict) => Readonly<Record<string, string | null>>

/**
 * Decides where a column no longer holds what its author saw: refused with the server's row, overwritten, or resolved.
 */
export type ConflictPolicy = 'reject' | 'last-write-wins' | ConflictResolver

/** Options for syncing one table. */
export interface TableOptions<Hidden extends string = string> {
  /** The audience of a row. */
  audience: Audience
  /** An immutable condition over the row's own columns; rows for which it does not hold are seen by nobody. */
  when?: SQL
  /** Database names of columns that never leave the server; columns the drizzle table does not name are hidden anyway. */
  hidden?: readonly Hidden[]
  /** The way to write the table through a replica: any local SQL, actions alone, or none. Default `none`. */
  write?: 'all' | 'actions' | 'none'
  /** The policy that decides conflicts of patches, field by field. Default `reject`. */
  conflict?: ConflictPolicy
  /** Lower loads first; tables of one priority load smaller first. Default 100. */
  priority?: number
  /**
   * What history keeps of former values: those of updates and deletes, or of each change only the row's key, with the values that
   * it left. Default `all`.
   */
  history?: 'all' | 'keys'
}

/** One synced table: a drizzle table and its options. */
export interface SyncTable<Table extends PgTable = PgTable, Hidden extends string = string>
  extends TableOptions<Hidden> {
  readonly table: Table
}

/** A table on which the answer of the worker's `audiences` depends, synced or not. Its rows go nowhere. */
export interface Watch {
  readonly table: PgTable
  /** Column with the id of the user whose rights a row decides. Without it a change re-evaluates every user. */
  readonly user?: AnyPgColumn
}

/** Actions by name. */
// biome-ignore lint/suspicious/noExplicitAny: a record of functions of different arguments has no other type.
export type Actions = Record<string, Action<any>>

/** The tables, actions and watched tables that an app syncs; one module shared by worker and page. */
export interface Sync<
  Tables extends Record<string, SyncTable> = Record<string, SyncTable>,
  SyncActions extends Actions = Actions,
> {
  readonly tables: Tables
  readonly actions?: SyncActions
  readonly watch?: readonly Watch[]
  readonly migration?: string
}

/** Declares how a drizzle table is synced. Throws `misconfigured` for an option that does not exist. */
export function table<Table extends PgTable, const Hidden extends string = never>(
  drizzleTable: Table,
  options: TableOptions<Hidden>,
): SyncTable<Table, Hidden> {
  requireNone(tableOptionFaults(drizzleTable, options))
  return { table: drizzleTable, ...options }
}

/**
 * Declares what an app syncs; `tidemark migrate` checks it against the database and puts it in force.
 *
 * Throws `misconfigured` for everything in it that does not exist.
 */
export function defineSync<
  Tables extends Record<string, SyncTable>,
  SyncActions extends Actions = Record<never, never>,
>(sync: {
  tables: Tables
  /** Calls that a replica may make besides plain SQL, by name; see `action`. */
  actions?: SyncActions
  /** A committed change in one of these re-evaluates the `audiences` of open sessions, before it is delivered. */
  watch?: readonly Watch[]
  /**
   * The last migration that this module was written over, by its file name. A page whose module does not know a breaking
   * one is asked to load anew, and one that is ahead of the database waits.
   */
  migration?: string
}): Sync<Tables, SyncActions> {
  checkSync(sync)
  return sync
}

/**
 * Throws `misconfigured` with everything that is wrong with a sync definition by itself, before any database is asked.
 */
export function checkSync(sync: unknown): void {
  requireNone(syncFaults(sync))
}

function requireNone(faults: readonly string[]): void {
  if (faults.length > 0) throw new TidemarkError('misconfigured', `${faults.join('.\n')}.`)
}
