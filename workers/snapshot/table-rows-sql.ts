import {
  outputExpression,
  quoteIdentifier,
  quoteTable,
  rowDigestSql,
  type TableDefinition,
  travellingColumns,
} from '../../protocol/index.ts'
import type { AudienceMatch } from './audience.ts'
import { copyLineExpression } from './copy-line-sql.ts'

/** The cursor does not return a line above this size; it is read alone, so that a page's size has a bound. */
const LARGE_LINE_BYTES = 16 * 1024

export interface Statement {
  readonly text: string
  readonly params: readonly string[]
}

function columnType(table: TableDefinition, name: string): string {
  const column = table.columns.find((candidate) => candidate.name === name)
  // The definition in force is resolved against the catalogue, which never leaves an audience or key column out.
  if (!column) throw new Error(`The definition of ${table.id} lacks its column ${name}.`)
  return column.type
}

/**
 * Returns the condition for the matching rows, by `$1`. The parameter is cast to the column's type, so that an index
 * serves; the text must be equal too, since `A` and `a` may be equal values.
 */
export function audienceCondition(table: TableDefinition, match: AudienceMatch): Statement {
  if (match.kind === 'every') return { text: 'true', params: [] }
  const type = columnType(table, match.column)
  const output = outputExpression({ name: match.column, type })
  return {
    text: `${quoteIdentifier(match.column)} = $1::text::${type} AND (${output}) COLLATE "C" = $1::text`,
    params: [match.value],
  }
}

/**
 * Asks whether a value is one that the audience column could print; raises a data exception where it cannot be read at
 * all.
 */
export function canonicalValueQuery(table: TableDefinition, match: AudienceMatch & { kind: 'value' }): Statement {
  const type = columnType(table, match.column)
  const output = outputExpression({ name: 'value', type })
  return {
    text: `SELECT (${output}) COLLATE "C" = $1::text AS canonical FROM (SELECT $1::text::${type} AS value) AS given`,
    params: [match.value],
  }
}

/** Returns rows as (bytes, line or NULL where it is large, key values of a large one…), in no order. */
export function tableRowsQuery(table: TableDefinition, match: AudienceMatch): Statement {
  const condition = audienceCondition(table, match)
  const keys = table.primaryKey.map((name, index) => ({
    name: quoteIdentifier(`key${index}`),
    output: outputExpression({ name, type: columnType(table, name) }),
  }))
  const large = `octet_length(line) > ${LARGE_LINE_BYTES}`
  const outer = keys.map((key) => `, CASE WHEN ${large} THEN ${key.name} END`).join('')
  const inner = keys.map((key) => `, ${key.output} AS ${key.name}`).join('')
  return {
    // OFFSET 0 keeps the line from being computed once for each use.
    text:
      `SELECT octet_length(line)::text, CASE WHEN ${large} THEN NULL ELSE line END${outer} ` +
      `FROM (SELECT ${copyLineExpression(travellingColumns(table))} AS line${inner} ` +
      `FROM ${quoteTable(table)} WHERE ${condition.text} OFFSET 0) AS lines`,
    params: condition.params,
  }
}

/** Returns count and sum of digests of the rows, both in decimal. */
export function tableSumsQuery(table: TableDefinition, match: AudienceMatch): Statement {
  const condition = audienceCondition(table, match)
  return {
    text:
      `SELECT count(*)::text AS rows, coalesce(sum(digest), 0)::text AS digest FROM ` +
      `(SELECT ${rowDigestSql(travellingColumns(table))} AS digest FROM ${quoteTable(table)} WHERE ${condition.text}) AS each`,
    params: condition.params,
  }
}

/** Returns the line of the one row with this primary key. */
export function largeLineQuery(table: TableDefinition, key: readonly string[]): Statement {
  const conditions = table.primaryKey.map(
    (name, index) => `${quoteIdentifier(name)} = $${index + 1}::text::${columnType(table, name)}`,
  )
  return {
    text: `SELECT ${copyLineExpression(travellingColumns(table))} AS line FROM ${quoteTable(table)} WHERE ${conditions.join(' AND ')}`,
    params: key,
  }
}
