import type { PatchTables } from './patch-of-writes.ts'
import type { TableTies } from './squash.ts'

/** Collects the constraints that tie each table's rows to others, as a replica knows them. */
export function tableTies({ keys, uniques }: PatchTables): (table: string) => TableTies {
  const ties = new Map<string, { columns: Set<string>; tables: Set<string> }>()
  const of = (table: string) => {
    const known = ties.get(table) ?? { columns: new Set<string>(), tables: new Set<string>() }
    ties.set(table, known)
    return known
  }
  for (const { table, columns } of uniques) for (const column of columns) of(table).columns.add(column)
  for (const { table, columns, parent, parentColumns } of keys) {
    of(table).tables.add(parent)
    of(parent).tables.add(table)
    for (const column of columns) of(table).columns.add(column)
    for (const column of parentColumns) of(parent).columns.add(column)
  }
  return of
}
