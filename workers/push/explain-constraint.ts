import type { Query } from '../../db/query.ts'
import { type Definition, type Rejection, type TableDefinition, TidemarkError } from '../../protocol/index.ts'

/** The columns that a constraint, or an index that acts as one, is about. */
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
 * Which constraint refused a mutation, if it is one of a synced table over columns that replicas hold; else nothing.
 *
 * Values stand in none of it. Where the catalogue cannot be asked, nothing is said either.
 */
export async function explainConstraint(
  query: Query,
  { tables }: Definition,
  error: unknown,
): Promise<Pick<Rejection, 'table' | 'constraint' | 'columns'>> {
  const { schema, table: name, constraint, column } = namedBy(error)
  const table = tables.find((one) => one.schema === schema && one.name === name)
  if (!table) return {}
  const isVisible = (one: string) => table.columns.some((known) => known.name === one)
  if (column !== null) return isVisible(column) ? { table: table.id, columns: [column] } : { table: table.id }
  if (constraint === null) return { table: table.id }
  const columns = await columnsOf(query, table, constraint)
  if (columns.length === 0 || !columns.every(isVisible)) return { table: table.id }
  return { table: table.id, constraint, columns }
}

async function columnsOf(query: Query, table: TableDefinition, constraint: string): Promise<string[]> {
  const [row] = await query(COLUMNS, [table.schema, table.name, constraint])
  const columns: string[] = JSON.parse(row?.columns ?? '[]')
  return columns
}

const FIELDS = ['schema', 'table', 'constraint', 'column'] as const

/** The fields of Postgres' own error, two causes deep. */
function namedBy(error: unknown): Record<(typeof FIELDS)[number], string | null> {
  const fault = error instanceof TidemarkError && error.cause instanceof Error ? error.cause.cause : null
  const read = (field: string): string | null => {
    if (typeof fault !== 'object' || fault === null || !Object.hasOwn(fault, field)) return null
    const value = (fault as Readonly<Record<string, unknown>>)[field]
    return typeof value === 'string' && value !== '' ? value : null
  }
  return { schema: read('schema'), table: read('table'), constraint: read('constraint'), column: read('column') }
}
