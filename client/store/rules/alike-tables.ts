import { type Definition, type TableDefinition, typesOf } from '../../../protocol/index.ts'

const sameText = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** Answers whether a table of one definition can become that of another under its rows, without touching one. */
export function isAlike(
  table: TableDefinition,
  types: Definition['types'],
  other: TableDefinition,
  otherTypes: Definition['types'],
): boolean {
  return sameText(shape(table, types), shape(other, otherTypes))
}

/** Answers the parts of a table that cannot be changed under its rows. */
function shape(table: TableDefinition, types: Definition['types']): unknown {
  const columns = table.columns.map(({ default: _, serverDefault: _filled, leased: _leased, ...column }) => column)
  return [columns, table.primaryKey, typesOf(table.columns, types)]
}
