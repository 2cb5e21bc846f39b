import type { Row, Value } from './change.ts'

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
}
const NEEDS_ESCAPE = /[\\\b\f\n\r\t\v]/g

function encodeField(value: Value): string {
  return value === null ? '\\N' : value.replace(NEEDS_ESCAPE, (character) => ESCAPES[character] ?? character)
}

/**
 * Encodes one line of COPY text format, with its newline; an absent column is an error of the caller and reads as NULL.
 */
export function encodeCopyLine(columns: readonly string[], row: Row): string {
  return `${columns.map((column) => encodeField(row[column] ?? null)).join('\t')}\n`
}
