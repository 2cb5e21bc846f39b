import type { RawRow, ResultField } from '../text-result.ts'

/** Parsers by the oid of a type; text of others stays text. */
export type Parsers = Readonly<Record<number, (text: string, oid: number) => unknown>>

/** Makes the values of a row, in the order of its columns. */
export function parseRow(row: RawRow, fields: readonly ResultField[], parsers: Parsers): unknown[] {
  return fields.map(({ dataTypeID }, index) => {
    const text = row[index] ?? null
    const parse = parsers[dataTypeID]
    // A parser may well answer null, as of the JSON of that name.
    return text === null || !parse ? text : parse(text, dataTypeID)
  })
}

/** Makes an object of a row; of columns of one name the last counts. */
export function parseObject(row: RawRow, fields: readonly ResultField[], parsers: Parsers): Record<string, unknown> {
  const values = parseRow(row, fields, parsers)
  return Object.fromEntries(fields.map(({ name }, index) => [name, values[index]]))
}
