import type { ColumnDefinition } from './definition.ts'
import { quoteIdentifier } from './sql-identifier.ts'

// biome-ignore format: one list
/** Types whose output holds neither a backslash nor a control character. */
const NEVER_ESCAPED = new Set([
  'smallint', 'integer', 'bigint', 'oid', 'real', 'double precision', 'numeric', 'boolean', 'uuid', 'date', 'interval',
  'timestamp without time zone', 'timestamp with time zone', 'time without time zone', 'time with time zone',
  'inet', 'cidr', 'macaddr', 'macaddr8', 'pg_lsn', 'bit', 'bit varying',
])
/** Types with a cast to text of their own which prints otherwise than the type's output (`true` for `t`, say). */
const CAST_DIFFERS = new Set(['boolean', 'inet', 'cidr'])
/** Further types whose cast to text prints the same as the output function. */
const CAST_AGREES = new Set(['text', 'character varying', 'json', 'jsonb', 'bytea'])

interface TypeName {
  /** Name without array brackets and length. */
  readonly base: string
  readonly isArray: boolean
}

function parseTypeName(type: string): TypeName {
  const isArray = type.endsWith('[]')
  const base = (isArray ? type.slice(0, -2) : type).replace(/\([\d, -]+\)/, '')
  return { base, isArray }
}

/** Tells whether no value of a type, nor of an array of it, prints a backslash or a control character. */
export function isNeverEscaped(type: string): boolean {
  return NEVER_ESCAPED.has(parseTypeName(type).base)
}

/**
 * Returns SQL that prints a column, of this row where one is named, as its type's output function does and the log
 * carries it.
 */
export function outputExpression({ name, type }: Pick<ColumnDefinition, 'name' | 'type'>, row?: string): string {
  return printedSql(`${row === undefined ? '' : `${row}.`}${quoteIdentifier(name)}`, type)
}

/** Returns SQL that prints a value of this type as its output function does; NULL may be printed as an empty text. */
export function printedSql(value: string, type: string): string {
  const { base, isArray } = parseTypeName(type)
  const castAgrees = isArray || CAST_AGREES.has(base) || (NEVER_ESCAPED.has(base) && !CAST_DIFFERS.has(base))
  // `format` calls the output function itself; the cast of a domain or enum might be the app's own.
  return castAgrees ? `${value}::text` : `format('%s', ${value})`
}
