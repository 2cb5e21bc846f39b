import type { TextResult } from '../text-result.ts'
import { type Parsers, parseObject, parseRow } from './parse-rows.ts'

/** A result of the form that PGlite's have. */
export interface ParsedResult<Row> {
  rows: Row[]
  fields: { name: string; dataTypeID: number }[]
  affectedRows?: number
  command?: string
  rowCount?: number
  blob?: Blob
}

/** Makes a result of PGlite's form of one whose values are text. */
export function parseResult<Row>(result: TextResult, parsers: Parsers, rowMode: 'array' | 'object'): ParsedResult<Row> {
  const { fields, affectedRows, command, rowCount, blob } = result
  const parse = rowMode === 'array' ? parseRow : parseObject
  return {
    rows: result.rows.map((row) => parse(row, fields, parsers)) as Row[],
    fields: fields.map((field) => ({ ...field })),
    ...(affectedRows === null ? {} : { affectedRows }),
    ...(command === null ? {} : { command }),
    ...(rowCount === null ? {} : { rowCount }),
    ...(blob === null ? {} : { blob }),
  }
}
