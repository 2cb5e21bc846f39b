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

/** What an app syncs; one module shared by worker and page. */
export interface Sync<Tables extends Record<string, SyncTable> = Record<string, SyncTable>> {
  readonly tables: Tables
}

export function table<Table extends PgTable>(drizzleTable: Table, options: TableOptions): SyncTable<Table> {
  return { table: drizzleTable, ...options }
}

/** Declares what an app syncs. It only declares: `tidemark migrate` checks it against the database and puts it in force. */
export function defineSync<Tables extends Record<string, SyncTable>>(sync: { tables: Tables }): Sync<Tables> {
  return sync
}
