import type { ColumnDefinition, TableDefinition } from './definition.ts'
import { quoteIdentifier } from './sql-identifier.ts'

/** Statements that make a replica's table; a table is named here in SQL form. */

const list = (names: readonly string[]) => names.map(quoteIdentifier).join(', ')

/** Lists the columns of a table as the app sees it. */
export function liveColumns(table: TableDefinition): string {
  return table.columns.map((column) => `${plainColumn(column)}${computed(column)}${required(column)}`).join(', ')
}

/** Lists the columns of a copy that is only loaded. */
export function loadedColumns(table: TableDefinition): string {
  const columns = table.columns.filter((column) => column.generated === null)
  return columns.map((column) => `${plainColumn(column)}${required(column)}`).join(', ')
}

const plainColumn = ({ name, type }: ColumnDefinition) => `${quoteIdentifier(name)} ${type}`

function computed({ generated, default: expression }: ColumnDefinition): string {
  if (generated !== null) return ` GENERATED ALWAYS AS (${generated}) STORED`
  return expression === undefined ? '' : ` DEFAULT (${expression})`
}

/** A column that the server fills in is NULL here until its value returns. */
const required = ({ notNull, serverDefault }: ColumnDefinition) => (notNull && !serverDefault ? ' NOT NULL' : '')

export function primaryKeySql(name: string, { primaryKey }: TableDefinition): string {
  return `ALTER TABLE ${name} ADD PRIMARY KEY (${list(primaryKey)})`
}

export function uniqueSql(name: string, unique: TableDefinition['uniques'][number]): string {
  const suffix = unique.deferrable ? ' DEFERRABLE INITIALLY IMMEDIATE' : ''
  const kind = unique.nullsNotDistinct ? 'UNIQUE NULLS NOT DISTINCT' : 'UNIQUE'
  return `ALTER TABLE ${name} ADD CONSTRAINT ${quoteIdentifier(unique.name)} ${kind} (${list(unique.columns)})${suffix}`
}
