import { type ColumnDefinition, quoteLiteral, quoteTable } from '../../protocol/index.ts'
import type { CatalogueColumn, CatalogueTable } from './catalogue.ts'

const INTEGERS = new Set(['smallint', 'integer', 'bigint'])

/** Tells whether replicas can number new rows by keys that they lease of the column's own sequence. */
export function isLeasable(column: CatalogueColumn): column is CatalogueColumn & { readonly sequence: string } {
  return column.sequence !== null && INTEGERS.has(column.type)
}

/** Tells whether a column is one of the key, and such a one. */
export const isLeasedKey = (
  column: CatalogueColumn,
  { primaryKey }: Pick<CatalogueTable, 'primaryKey'>,
): column is CatalogueColumn & { readonly sequence: string } => isLeasable(column) && primaryKey.includes(column.name)

/** Describes such a column of a key: its default takes the next key that the replica leased. */
export function leasedBy(
  sequence: string,
  table: Pick<CatalogueTable, 'schema' | 'name'>,
  column: string,
): Pick<ColumnDefinition, 'default' | 'leased'> {
  const names = [sequence, quoteTable(table), column].map(quoteLiteral)
  return { default: `tidemark.next_key(${names.join(', ')})`, leased: sequence }
}
