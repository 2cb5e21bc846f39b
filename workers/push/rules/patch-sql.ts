import {
  type ColumnDefinition,
  type Definition,
  outputExpression,
  printedSql,
  quoteIdentifier,
  quoteLiteral,
  quoteTable,
  type TableDefinition,
  travellingColumns,
} from '../../../protocol/index.ts'
import { holdsSql } from './holds-sql.ts'

/**
 * Statements over many rows of one table and shape. `$1` is a JSON array of `{k, d, b}`; `$2`, where the audience is a
 * column, holds the values that the author sees there. They answer positions in `$1`, from 1.
 */

const ROW = '"tidemark row"'
const POSITION = '"tidemark position"'
const HELD = '"tidemark held"'
const GIVEN = 'jsonb_array_elements($1::jsonb) WITH ORDINALITY'
const AS_GIVEN = `AS "tidemark given"(${ROW}, ${POSITION})`

/**
 * The planner assumes 100 rows for an array, and then reads a whole table of some thousand rows rather than look for
 * one.
 */
const one = (elements: string, rows: number) => (rows === 1 ? `(SELECT * FROM ${elements} LIMIT 1)` : elements)

const givenRows = (rows: number) => `${one(GIVEN, rows)} ${AS_GIVEN}`

/**
 * Returns the type to cast a text to: without length, because a cast would cut to it, while an assignment checks it.
 */
function castType(type: string): string {
  const bare = type.replace(/\([\d, -]+\)/, '')
  const [base, array] = bare.endsWith('[]') ? [bare.slice(0, -2), '[]'] : [bare, '']
  if (base === 'character') return `bpchar${array}`
  if (base === 'bit') return `varbit${array}`
  return base + array
}

const given = (part: 'k' | 'd', column: ColumnDefinition): string => `${textOf(part, column)}::${castType(column.type)}`

const textOf = (part: 'k' | 'd' | 'b', { name }: ColumnDefinition): string =>
  `(${ROW}->'${part}'->>${quoteLiteral(name)})`

const isGiven = (part: 'd' | 'b', column: ColumnDefinition, types: Definition['types']): string =>
  holdsSql(column, textOf(part, column), types)

function columnOf(table: TableDefinition, name: string): ColumnDefinition {
  const column = table.columns.find((candidate) => candidate.name === name)
  // The definition in force is resolved against the catalogue, which leaves out no key or audience column.
  if (!column) throw new Error(`The definition of ${table.id} lacks its column ${name}.`)
  return column
}

const hasKey = (table: TableDefinition): string =>
  table.primaryKey.map((name) => `${quoteIdentifier(name)} = ${given('k', columnOf(table, name))}`).join(' AND ')

/**
 * Where a row takes its audience from a parent, the author must see that: what is there for others alone is to them as
 * what is nowhere. Empty where the columns given name no parent.
 */
function parentIsSeen(
  { kept, audience, ...table }: TableDefinition,
  columns: readonly ColumnDefinition[],
  isInsert: boolean,
): string {
  const parent = kept?.parent
  if (!parent || !('column' in audience)) return ''
  if (!isInsert && !columns.some(({ name }) => parent.columns.includes(name))) return ''
  // What the server fills in names a parent that nobody here chose; the row itself then shows whose it is.
  if (isInsert && !parent.columns.every((name) => columns.some((column) => column.name === name))) return ''
  const own = parent.columns.map((name) => columnOf({ kept, audience, ...table }, name))
  // A column that an update leaves alone is the row's own.
  const valueSql = (column: ColumnDefinition) =>
    columns.some(({ name }) => name === column.name)
      ? given('d', column)
      : `${quoteTable(table)}.${quoteIdentifier(column.name)}`
  const its = parent.key.map((name, index) => {
    const column = own[index]
    return `"tidemark parent".${quoteIdentifier(name)} = ${column ? valueSql(column) : 'NULL'}`
  })
  const output = outputExpression(
    { ...columnOf({ kept, audience, ...table }, audience.column), name: parent.audience },
    '"tidemark parent"',
  )
  const seen = `EXISTS (SELECT FROM ${quoteTable(parent)} AS "tidemark parent" WHERE ${its.join(' AND ')} AND (${output}) COLLATE "C" = ANY ($2::text[]))`
  const none = own.map((column) => `${valueSql(column)} IS NULL`)
  return isInsert ? seen : `(${[...none, seen].join(' OR ')})`
}

/** A row that its condition hides is still not given to those whom its author is not among. */
function audienceIsSeen({ kept, audience }: TableDefinition, columns: readonly ColumnDefinition[]): string {
  const named = 'column' in audience ? columns.find(({ name }) => name === kept?.column) : undefined
  if (!named) return ''
  const value = given('d', named)
  return `(${value} IS NULL OR (${printedSql(value, named.type)}) COLLATE "C" = ANY ($2::text[]))`
}

/** The row itself decides its audience, whatever its author predicted. */
function isSeen(table: TableDefinition): string {
  if ('constant' in table.audience) return hasKey(table)
  const output = outputExpression(columnOf(table, table.audience.column))
  return `${hasKey(table)} AND (${output}) COLLATE "C" = ANY ($2::text[])`
}

export function insertSql(table: TableDefinition, columns: readonly ColumnDefinition[]): string {
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  const values = columns.map((column) => given('d', column)).join(', ')
  const seen = parentIsSeen(table, columns, true)
  // An identity that is GENERATED ALWAYS takes a key that was leased of it by this alone.
  const numbered = columns.some(({ leased }) => leased !== undefined) ? ' OVERRIDING SYSTEM VALUE' : ''
  return `INSERT INTO ${quoteTable(table)} (${names})${numbered} SELECT ${values} FROM ${GIVEN} ${AS_GIVEN}${seen && ` WHERE ${seen}`} ORDER BY ${POSITION}`
}

/** Like `insertSql`, for rows whose audience the server fills in; answers those of them that the author then sees. */
export function insertUnnamedSql(table: TableDefinition, columns: readonly ColumnDefinition[]): string {
  if ('constant' in table.audience) return insertSql(table, columns)
  const output = outputExpression(columnOf(table, table.audience.column))
  return `WITH "tidemark made" AS (${insertSql(table, columns)} RETURNING (${output}) COLLATE "C" AS audience)
    SELECT 'seen' AS seen FROM "tidemark made" WHERE audience = ANY ($2::text[])`
}

export function deleteSql(table: TableDefinition, rows: number): string {
  return `DELETE FROM ${quoteTable(table)} USING ${givenRows(rows)} WHERE ${isSeen(table)} RETURNING ${POSITION}::text AS position`
}

/**
 * Updates where each of `checked` holds its basis, or already its new value; for a column in `bare` no basis is known.
 */
export function updateSql(
  table: TableDefinition,
  columns: readonly ColumnDefinition[],
  checked: readonly ColumnDefinition[],
  bare: ReadonlySet<string>,
  types: Definition['types'],
  rows: number,
): string {
  const set = columns.map((column) => `${quoteIdentifier(column.name)} = ${given('d', column)}`).join(', ')
  const open = [parentIsSeen(table, columns, false), audienceIsSeen(table, columns)]
  const conditions = [
    isSeen(table),
    ...open.filter((condition) => condition !== ''),
    ...checked.map((column) => `(${agrees(column, bare, types)})`),
  ].join(' AND ')
  const update = `UPDATE ${quoteTable(table)} SET ${set} FROM ${givenRows(rows)} WHERE ${conditions} RETURNING ${POSITION}::text AS position`
  return table.kept === undefined ? update : stayingSeen(table, update)
}

/**
 * Answers of the updated rows those that their author sees still, or that nobody does: the audience that Tidemark keeps
 * follows from what was written, and no one moves a row out of their own sight.
 */
function stayingSeen(table: TableDefinition, update: string): string {
  if ('constant' in table.audience) return update
  const { column } = table.audience
  const output = outputExpression(columnOf(table, column))
  return `WITH "tidemark made" AS (${update}, ${quoteIdentifier(column)} IS NULL AS gone, (${output}) COLLATE "C" AS audience)
    SELECT position FROM "tidemark made" WHERE gone OR audience = ANY ($2::text[])`
}

const agrees = (column: ColumnDefinition, bare: ReadonlySet<string>, types: Definition['types']): string =>
  bare.has(column.name)
    ? isGiven('d', column, types)
    : `${isGiven('b', column, types)} OR ${isGiven('d', column, types)}`

/** Locks a row and answers it as `row`, and as `agreed` the names of the columns that `updateSql` would accept. */
export function lockSql(
  table: TableDefinition,
  columns: readonly ColumnDefinition[],
  bare: ReadonlySet<string>,
  types: Definition['types'],
): string {
  const agreed = columns.map(
    (column) => `CASE WHEN ${agrees(column, bare, types)} THEN ${quoteLiteral(column.name)} END`,
  )
  return (
    `SELECT ${jsonObject(travellingColumns(table))}::text AS row, array_to_json(array_remove(ARRAY[${agreed.join(', ')}]::text[], NULL))::text AS agreed ` +
    `FROM ${quoteTable(table)}, ${givenRows(1)} WHERE ${isSeen(table)} FOR UPDATE OF ${quoteIdentifier(table.name)}`
  )
}

/** Answers the rows that the author sees at all. */
export function seenSql(table: TableDefinition, rows: number): string {
  return `SELECT ${POSITION}::text AS position FROM ${quoteTable(table)}, ${givenRows(rows)} WHERE ${isSeen(table)}`
}

function jsonObject(columns: readonly ColumnDefinition[]): string {
  return `jsonb_object(${namesAndValues(columns)})`
}

const namesAndValues = (columns: readonly ColumnDefinition[]): string =>
  `ARRAY[${columns.map(({ name }) => quoteLiteral(name)).join(', ')}]::text[], ARRAY[${columns
    .map((column) => outputExpression(column))
    .map(nullIfNull(columns))
    .join(', ')}]::text[]`

/** Needed because `format` prints NULL as an empty text. */
const nullIfNull = (columns: readonly ColumnDefinition[]) => (output: string, index: number) => {
  const column = columns[index]
  return column === undefined || !output.startsWith('format')
    ? output
    : `CASE WHEN ${quoteIdentifier(column.name)} IS DISTINCT FROM NULL THEN ${output} END`
}

/** Rows of one table in `keys->index`, their number, and the columns whose final values matter. */
export interface Reading {
  readonly rows: number
  readonly table: TableDefinition
  readonly columns: readonly ColumnDefinition[]
}

/**
 * Answers one JSON array of `{t, k, d}`: of each row the columns that do not hold what was given for them; NULL where
 * all do.
 */
export function readingSql(readings: readonly Reading[]): string {
  const parts = readings.map(
    // Rows are compared whole first, because most often all is as given.
    ({ table, columns, rows }, index) =>
      `SELECT ${quoteLiteral(table.id)} AS t, ${ROW}->'k' AS k, ${HELD} AS held, ${ROW}->'d' AS given
      FROM ${quoteTable(table)}, ${one(`jsonb_array_elements($1->${index})`, rows)} AS "tidemark given"(${ROW}),
        LATERAL (SELECT ${jsonObject(columns)} OFFSET 0) AS "tidemark read"(${HELD})
      WHERE ${hasKey(table)} AND ${HELD} <> ${ROW}->'d'`,
  )
  return `SELECT jsonb_agg(jsonb_build_object('t', t, 'k', k, 'd', d)) FROM (
    SELECT t, k, tidemark.differing(held, given) AS d FROM (${parts.join(' UNION ALL ')}) AS found) AS judged WHERE d IS NOT NULL`
}
