import { type ColumnDefinition, quoteIdentifier } from '../../protocol/index.ts'

// biome-ignore format: one list
/** Types whose output holds neither a backslash nor a control character. */
const NEVER_ESCAPED = new Set([
  'smallint', 'integer', 'bigint', 'oid', 'real', 'double precision', 'numeric', 'boolean', 'uuid', 'date', 'interval',
  'timestamp without time zone', 'timestamp with time zone', 'time without time zone', 'time with time zone',
  'inet', 'cidr', 'macaddr', 'macaddr8', 'pg_lsn', 'bit', 'bit varying',
])
/** Types that have a cast to text of their own which prints otherwise than the type's output (`true` for `t`, say). */
const CAST_DIFFERS = new Set(['boolean', 'inet', 'cidr'])
/** Further types whose cast to text prints what the output function does. */
const CAST_AGREES = new Set(['text', 'character varying', 'json', 'jsonb', 'bytea'])

/** What COPY writes as `\x`, in the order in which replacing is safe: the backslash first. */
const ESCAPES: readonly (readonly [string, string])[] = [
  [`E'\\\\'`, `E'\\\\\\\\'`],
  [`E'\\b'`, `E'\\\\b'`],
  [`E'\\f'`, `E'\\\\f'`],
  [`E'\\n'`, `E'\\\\n'`],
  [`E'\\r'`, `E'\\\\r'`],
  [`E'\\t'`, `E'\\\\t'`],
  [`E'\\x0b'`, `E'\\\\v'`],
]

interface TypeName {
  /** Without array brackets and length. */
  readonly base: string
  readonly isArray: boolean
}

function parseTypeName(type: string): TypeName {
  const isArray = type.endsWith('[]')
  const base = (isArray ? type.slice(0, -2) : type).replace(/\([\d, -]+\)/, '')
  return { base, isArray }
}

/** SQL of a value as its type's output function prints it, which is how the log carries it. */
export function outputExpression(column: Pick<ColumnDefinition, 'name' | 'type'>): string {
  const { base, isArray } = parseTypeName(column.type)
  const value = quoteIdentifier(column.name)
  const castAgrees = isArray || CAST_AGREES.has(base) || (NEVER_ESCAPED.has(base) && !CAST_DIFFERS.has(base))
  // `format` calls the output function itself; of a domain or enum a cast might be the app's own.
  return castAgrees ? `${value}::text` : `format('%s', ${value})`
}

function fieldExpression(column: ColumnDefinition): string {
  const output = outputExpression(column)
  const escaped = NEVER_ESCAPED.has(parseTypeName(column.type).base)
    ? output
    : ESCAPES.reduce((inner, [from, to]) => `replace(${inner}, ${from}, ${to})`, output)
  if (column.notNull) return escaped
  // `IS NULL` would be true of a row value of NULLs, and `format` prints NULL as an empty text.
  return `CASE WHEN ${quoteIdentifier(column.name)} IS NOT DISTINCT FROM NULL THEN E'\\\\N' ELSE ${escaped} END`
}

/** SQL of one line of COPY text format without its newline, equal to `encodeCopyLine` of the row's values. */
export function copyLineExpression(columns: readonly ColumnDefinition[]): string {
  if (columns.length === 0) return `''`
  return columns.map(fieldExpression).join(` || E'\\t' || `)
}
