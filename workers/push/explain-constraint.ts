import type { Query } from '../../db/query.ts'
import type { Definition, Rejection, TableDefinition } from '../../protocol/index.ts'
import { faultField } from '../database/index.ts'

/** Reads the columns that a constraint, or an index that acts as one, is about. */
const COLUMNS = `
  SELECT coalesce(json_agg(DISTINCT a.attname::text), '[]')::text AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE n.nspname = $1 AND c.relname = $2 AND (
    EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname = $3 AND a.attnum = ANY (k.conkey))
    OR EXISTS (
      SELECT FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_depend d ON d.classid = 'pg_class'::regclass
        AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
      WHERE i.indrelid = c.oid AND ic.relname = $3 AND a.attnum > 0))`

/**
 * Names the constraint that refused a mutation, if it is one of a synced table over columns that replicas hold; else
 * `{}`, or the table alone.
 *
 * The answer holds no values. Throws what the database throws.
 */
export async function explainConstraint(
  query: Query,
  { tables }: Definition,
  error: unknown,
): Promise<Pick<Rejection, 'table' | 'constraint' | 'columns'>> {
  const [schema, name, constraint, column] = ['schema', 'table', 'constraint', 'column'].map((field) =>
    faultField(error, field),
  )
  const table = tables.find((one) => one.schema === schema && one.name === name)
  if (!table) return {}
  const isVisible = (one: string) => table.columns.some((known) => known.name === one)
  if (column) return isVisible(column) ? { table: table.id, columns: [column] } : { table: table.id }
  if (!constraint) return { table: table.id }
  const columns = await columnsOf(query, table, constraint)
  if (columns.length === 0 || !columns.every(isVisible)) return { table: table.id }
  return { table: table.id, constraint, columns }
}

async function columnsOf(query: Query, table: TableDefinition, constraint: string): Promise<string[]> {
  const [row] = await query(COLUMNS, [table.schema, table.name, constraint])
  const columns: string[] = JSON.parse(row?.columns ?? '[]')
  return columns
}
