import type { PatchRow, Row } from '../../../protocol/index.ts'
import { valuesText } from '../../store/rules/captured-write.ts'
import type { ForeignKey } from '../../store/rules/foreign-keys.ts'

/** A row of a patch, with its images before and after. */
export interface NetRow {
  readonly row: PatchRow
  readonly before: Row | null
  readonly after: Row | null
}

/** Columns whose values no two rows of a table share. */
export interface Unique {
  readonly table: string
  readonly columns: readonly string[]
}

/**
 * Puts the net rows of a patch in an order that constraints allow: parents before children, the row that frees a value
 * before the one that takes it. Rows keep their order otherwise; of rows that wait for each other the first goes first.
 */
export function orderRows(
  rows: readonly NetRow[],
  keys: readonly ForeignKey[],
  uniques: readonly Unique[],
): PatchRow[] {
  const before = predecessors(rows, keys, uniques)
  const ordered: PatchRow[] = []
  const visited = new Set<number>()
  const visit = (index: number): void => {
    if (visited.has(index)) return
    visited.add(index)
    for (const first of before.get(index) ?? []) visit(first)
    const row = rows[index]
    if (row) ordered.push(row.row)
  }
  for (const index of rows.keys()) visit(index)
  return ordered
}

/** Finds, for each row, the rows that must come before it. */
function predecessors(
  rows: readonly NetRow[],
  keys: readonly ForeignKey[],
  uniques: readonly Unique[],
): Map<number, number[]> {
  const found = new Map<number, number[]>()
  const add = (later: number, earlier: number | undefined): void => {
    if (earlier === undefined || earlier === later) return
    found.set(later, [...(found.get(later) ?? []), earlier])
  }
  for (const key of keys) {
    const made = new Map<string, number>()
    const gone = new Map<string, number>()
    for (const [index, { row, before, after }] of rows.entries()) {
      if (row.t !== key.parent) continue
      const was = before && valuesText(before, key.parentColumns)
      const is = after && valuesText(after, key.parentColumns)
      if (is !== null && is !== was) made.set(is, index)
      if (was !== null && was !== is) gone.set(was, index)
    }
    for (const [index, { row, before, after }] of rows.entries()) {
      if (row.t !== key.table) continue
      const was = before && valuesText(before, key.columns)
      const is = after && valuesText(after, key.columns)
      if (is !== null) add(index, made.get(is))
      const parent = was !== null && was !== is ? gone.get(was) : undefined
      if (parent !== undefined) add(parent, index)
    }
  }
  for (const { table, columns } of uniques) {
    const freed = new Map<string, number>()
    for (const [index, { row, before, after }] of rows.entries()) {
      const was = row.t === table && before ? valuesText(before, columns) : null
      if (was !== null && was !== (after && valuesText(after, columns))) freed.set(was, index)
    }
    for (const [index, { row, after }] of rows.entries()) {
      const is = row.t === table && after ? valuesText(after, columns) : null
      if (is !== null) add(index, freed.get(is))
    }
  }
  return found
}
