import type { Query } from '../../db/query.ts'
import {
  type MutationHistory,
  quoteTable,
  type TableDefinition,
  tableId,
  travellingColumns,
} from '../../protocol/index.ts'

type Reference = MutationHistory['references'][number]

const NAMES = (numbers: string, relation: string) => `
  (SELECT json_agg(a.attname ORDER BY k.n) FROM unnest(${numbers}) WITH ORDINALITY AS k (number, n)
   JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.number)::text`
const REFERENCES = `
  SELECT cn.nspname AS schema, c.relname AS name, pn.nspname AS parent_schema, p.relname AS parent_name,
    ${NAMES('f.conkey', 'f.conrelid')} AS columns, ${NAMES('f.confkey', 'f.confrelid')} AS parent_columns
  FROM pg_constraint f
  JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
  JOIN pg_class p ON p.oid = f.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE f.contype = 'f' AND f.conparentid = 0
    AND f.confrelid IN (SELECT to_regclass(t)::oid FROM json_array_elements_text($1::json) AS t)
  ORDER BY cn.nspname, c.relname, f.conname`

/**
 * Reads by which columns rows of synced tables refer to those of these tables: replicas do not have all foreign keys. Those over
 * columns that do not travel are left out.
 */
export async function readReferences(
  query: Query,
  parents: readonly TableDefinition[],
  tables: readonly TableDefinition[],
): Promise<Reference[]> {
  const rows = await query(REFERENCES, [JSON.stringify(parents.map(quoteTable))])
  const travelling = new Map(
    tables.map((table) => [table.id, new Set(travellingColumns(table).map(({ name }) => name))]),
  )
  const travel = (table: string, columns: readonly string[]) =>
    columns.every((name) => travelling.get(table)?.has(name) ?? false)
  return rows.flatMap((row): Reference[] => {
    const table = tableId({ schema: row.schema ?? '', name: row.name ?? '' })
    const parent = tableId({ schema: row.parent_schema ?? '', name: row.parent_name ?? '' })
    const columns: string[] = JSON.parse(row.columns ?? '[]')
    const parentColumns: string[] = JSON.parse(row.parent_columns ?? '[]')
    return travel(table, columns) && travel(parent, parentColumns) ? [{ table, columns, parent, parentColumns }] : []
  })
}
