import { type ColumnDefinition, isNeverEscaped, outputExpression, quoteIdentifier } from '../../protocol/index.ts'

/** The characters that COPY writes as `\x`, in the order in which replacing is safe: the backslash first. */
const ESCAPES: readonly (readonly [string, string])[] = [
  [`E'\\\\'`, `E'\\\\\\\\'`],
  [`E'\\b'`, `E'\\\\b'`],
  [`E'\\f'`, `E'\\\\f'`],
  [`E'\\n'`, `E'\\\\n'`],
  [`E'\\r'`, `E'\\\\r'`],
  [`E'\\t'`, `E'\\\\t'`],
  [`E'\\x0b'`, `E'\\\\v'`],
]

function fieldExpression(column: ColumnDefinition): string {
  const output = outputExpression(column)
  const escaped = isNeverEscaped(column.type)
    ? output
    : ESCAPES.reduce((inner, [from, to]) => `replace(${inner}, ${from}, ${to})`, output)
  if (column.notNull) return escaped
  // `IS NULL` would be true for a row value made of NULLs, and `format` prints NULL as an empty text.
  return `CASE WHEN ${quoteIdentifier(column.name)} IS NOT DISTINCT FROM NULL THEN E'\\\\N' ELSE ${escaped} END`
}

/** Returns SQL for one line of COPY text format without its newline, equal to `encodeCopyLine` of the row's values. */
export function copyLineExpression(columns: readonly ColumnDefinition[]): string {
  if (columns.length === 0) return `''`
  return columns.map(fieldExpression).join(` || E'\\t' || `)
}
