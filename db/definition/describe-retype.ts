import { quoteIdentifier, type Retype } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { EXPRESSION } from './catalogue.ts'
import { expressionSchema, strangersIn } from './computed-alike.ts'
import type { ColumnMark, MadeAnew } from './retyped-columns.ts'

/** A column that a statement gave another type. */
export interface RetypeAsked {
  /** The table's name, and its columns as they were before. */
  readonly table: string
  readonly columns: readonly ColumnMark[]
  readonly column: MadeAnew
  /** What the statement says after USING; null: nothing, so that the value is assigned. */
  readonly using: string | null
}

/**
 * Describes how a statement made a column's values, from what it said: by an expression that can be computed elsewhere,
 * over the column alone. Null where there is no such expression.
 *
 * Postgres reads it, under the search path that is set, over an empty table that is taken back. What it sets beside that is left
 * to a savepoint of the caller's, which has to be rolled back.
 */
export async function describeRetype(query: Query, asked: RetypeAsked): Promise<Retype | null> {
  const { before, after } = asked.column
  const [path] = await query(`SELECT current_setting('search_path') AS path`)
  await query('SET LOCAL search_path = pg_catalog')
  const types = await namedTypes(query, asked)
  const own = await ownTypes(query)
  const [from, to] = [types.get(before), types.get(after)]
  if (from === undefined || to === undefined) return null
  // Replicas no longer have an enum that nothing is of any more, and what is said of its labels as texts holds.
  for (const type of before.isEnum ? ['text', from] : [from]) {
    await query(`SELECT set_config('search_path', $1, true)`, [path?.path ?? ''])
    const columns = asked.columns.map((mark) => {
      const collation = mark.collation === null ? '' : ` COLLATE ${mark.collation}`
      return `${quoteIdentifier(mark.name)} ${mark.number === before.number ? type : types.get(mark)}${collation}`
    })
    const read = await readExpression(query, asked, columns, to)
    const place = asked.columns.findIndex(({ number }) => number === before.number) + 1
    const isAlone = read?.reads.every((column) => column === place)
    if (read && isAlone && read.isFixed && strangersIn(read.tree, own.all, own.enums).length === 0)
      return { column: before.name, from: type, to, expression: read.text }
  }
  return null
}

/** Has Postgres read an expression over an empty table of these columns; null where it refuses that. */
async function readExpression(
  query: Query,
  { table, using, column }: RetypeAsked,
  columns: readonly string[],
  to: string,
) {
  const relation = `pg_temp.${quoteIdentifier(table)}`
  await query('SAVEPOINT tidemark_expression')
  try {
    await query(`CREATE TEMPORARY TABLE ${quoteIdentifier(table)} (${columns.join(', ')})`)
    // A comment at the end of the expression ends with its line.
    const value = `(${using ?? quoteIdentifier(column.before.name)}\n)::${to}`
    await query(`ALTER TABLE ${relation} ADD CONSTRAINT retype CHECK (${value} IS NULL)`)
    await query('SET LOCAL search_path = pg_catalog')
    const [row] = await query(CHECK, [relation])
    const [, text] = /^\((.*) IS NULL\)$/s.exec(row?.text ?? '') ?? []
    const tree = expressionSchema.parse(JSON.parse(row?.expression ?? 'null'))
    // The test for NULL around it names no type.
    const types = tree.types.filter((type) => type !== '-')
    const reads: readonly number[] = JSON.parse(row?.reads ?? '[]')
    return text === undefined ? null : { text, tree: { ...tree, types }, reads, isFixed: row?.fixed === 'true' }
  } catch {
    return null
  } finally {
    await query('ROLLBACK TO SAVEPOINT tidemark_expression; RELEASE SAVEPOINT tidemark_expression')
  }
}

const CHECK = `
  SELECT pg_get_expr(k.conbin, k.conrelid) AS text, (${EXPRESSION})::text AS expression, coalesce((
    SELECT json_agg(DISTINCT p.refobjsubid) FROM pg_depend p
    WHERE p.classid = 'pg_constraint'::regclass AND p.objid = k.oid AND p.refclassid = 'pg_class'::regclass
      AND p.refobjid = k.conrelid), '[]')::text AS reads, (NOT EXISTS (
    SELECT FROM regexp_matches(tree.text, ':(?:funcid|opfuncid) (\\d+)', 'g') m JOIN pg_proc f ON f.oid = m[1]::oid
    WHERE f.provolatile <> 'i'))::text AS fixed
  FROM pg_constraint k CROSS JOIN LATERAL (SELECT k.conbin::text AS text) AS tree
  WHERE k.conrelid = $1::regclass AND k.conname = 'retype'`

/**
 * Names types as they are found under any search path, without length: a value that is too long is refused where it is written.
 * `character` alone would be a length of one.
 */
async function namedTypes(query: Query, { columns, column }: RetypeAsked): Promise<ReadonlyMap<ColumnMark, string>> {
  const marks = [...columns, column.before, column.after]
  const rows = await query(
    `SELECT format_type(wanted.id::oid, -1) AS type
     FROM json_array_elements_text($1::json) WITH ORDINALITY AS wanted(id, place) ORDER BY wanted.place`,
    [JSON.stringify(marks.map(({ typeId }) => typeId))],
  )
  return new Map(marks.flatMap((mark, index) => (rows[index]?.type ? [[mark, rows[index].type] as const] : [])))
}

/** Reads the enums and domains of the app, which replicas have where a column is of them. */
async function ownTypes(query: Query) {
  const rows = await query(
    `SELECT format_type(t.oid, NULL) AS type, t.typtype::text AS kind FROM pg_type t WHERE t.typtype IN ('e', 'd') AND t.oid >= 16384`,
  )
  const named = (kinds: string) => rows.filter(({ kind }) => kinds.includes(kind ?? '?')).map(({ type }) => type ?? '')
  return { all: new Set(named('ed')), enums: new Set(named('e')) }
}
