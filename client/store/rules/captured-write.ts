import type { Row } from '../../../protocol/index.ts'

/** One row's change as a trigger captured it; images hold every column that travels. */
export interface CapturedWrite {
  readonly table: string
  /** The key in the form of `keyText`. A change of key is a delete and an insert. */
  readonly key: string
  readonly op: 'insert' | 'update' | 'delete'
  readonly before: Row | null
  readonly after: Row | null
}

/** Names a row among those of all tables. */
export const rowId = (table: string, key: string): string => `${table}\u0000${key}`

/** Answers values of some columns as one text, equal for equal values; null where one is NULL and refers to nothing. */
export function valuesText(row: Row, columns: readonly string[]): string | null {
  const values = columns.map((name) => row[name] ?? null)
  return values.includes(null) ? null : JSON.stringify(values)
}

export function changedColumns(before: Row, after: Row): string[] {
  return Object.keys(after).filter((name) => before[name] !== after[name])
}
