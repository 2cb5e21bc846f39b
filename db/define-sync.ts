import type { AnyPgColumn, PgTable } from 'drizzle-orm/pg-core'

/** How the app syncs one table. */
export interface TableOptions {
  /** Who sees a row: `prefix:value` of a column, or `'all'`. */
  audience: 'all' | { column: AnyPgColumn; prefix: string }
  /** Database names of columns that never leave the server; columns the drizzle table does not name are hidden anyway. */
  hidden?: readonly string[]
  /** Lower loads first; tables of one priority load smaller first. Default 100. */
  priority?: number
}

/** One synced table: a drizzle table and its options. */
export interface SyncTable<Table extends PgTable = PgTable> extends TableOptions {
  readonly table: Table
}

/** A table on which the answer of the worker's `audiences` depends, synced or not. Its rows go nowhere. */
export interface Watch {
  readonly table: PgTable
  /** Column with the id of the user whose rights a row decides. Without it a change re-evaluates everyone. */
  readonly user?: AnyPgColumn
}

/** What an app syncs; one module shared by worker and page. */
export interface Sync<Tables extends Record<string, SyncTable> = Record<string, SyncTable>> {
  readonly tables: Tables
  readonly watch?: readonly Watch[]
}

export function table<Table extends PgTable>(drizzleTable: Table, options: TableOptions): SyncTable<Table> {
  return { table: drizzleTable, ...options }
}

/** Declares what an app syncs. It only declares: `tidemark migrate` checks it against the database and puts it in force. */
export function defineSync<Tables extends Record<string, SyncTable>>(sync: {
  tables: Tables
  /** A committed change in one of these re-evaluates the `audiences` of open sessions, before it is delivered. */
  watch?: readonly Watch[]
}): Sync<Tables> {
  return sync
}
