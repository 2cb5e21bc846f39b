import { getTableColumns, Table } from 'drizzle-orm'
import type { PgTable, PgTableWithColumns, TableConfig } from 'drizzle-orm/pg-core'
import type { Sync, SyncTable } from './define-sync.ts'

/** The columns that replicas have; all of them where the names of the hidden ones are not known to the compiler. */
type VisibleColumns<Columns extends TableConfig['columns'], Hidden extends string> = string extends Hidden
  ? Columns
  : { [Key in keyof Columns as Columns[Key]['_']['name'] extends Hidden ? never : Key]: Columns[Key] }

type VisibleTable<Synced> =
  Synced extends SyncTable<infer Declared, infer Hidden>
    ? Declared extends PgTableWithColumns<infer Config>
      ? PgTableWithColumns<Omit<Config, 'columns'> & { columns: VisibleColumns<Config['columns'], Hidden> }>
      : Declared
    : never

/** The tables of a sync definition as replicas have them, by their names in it. */
export type VisibleTables<Tables extends Record<string, SyncTable>> = {
  readonly [Name in keyof Tables]: VisibleTable<Tables[Name]>
}

/**
 * Returns the drizzle tables of a sync definition without their hidden columns, by their names in it: for queries in a
 * replica, where a column that never left the server cannot be asked for.
 */
export function visibleTables<Tables extends Record<string, SyncTable>>({
  tables,
}: Pick<Sync<Tables>, 'tables'>): VisibleTables<Tables> {
  const visible = Object.entries(tables).map(([name, { table, hidden = [] }]) => [name, withoutColumns(table, hidden)])
  return Object.fromEntries(visible)
}

/** drizzle reads a table's columns by this symbol, and an app by their names on the table. */
const COLUMNS: unique symbol = (Table as unknown as { readonly Symbol: { readonly Columns: never } }).Symbol.Columns

function withoutColumns(table: PgTable, hidden: readonly string[]): PgTable {
  if (hidden.length === 0) return table
  const columns = Object.entries(getTableColumns(table))
  const left = Object.fromEntries(columns.filter(([, column]) => !hidden.includes(column.name)))
  const copy = Object.create(Object.getPrototypeOf(table), Object.getOwnPropertyDescriptors(table))
  for (const [name] of columns) if (!Object.hasOwn(left, name)) delete copy[name]
  return Object.defineProperty(copy, COLUMNS, { value: left, configurable: true, enumerable: true, writable: true })
}
