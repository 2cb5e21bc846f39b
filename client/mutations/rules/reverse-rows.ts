import type { Row } from '../../../protocol/index.ts'

/** A row before and after; null where there is none. */
export interface RowImage {
  readonly table: string
  readonly before: Row | null
  readonly after: Row | null
}

/** A step that brings a row from `from` back to `to`. */
export interface RowReversal {
  readonly table: string
  readonly key: Row
  readonly from: Row | null
  readonly to: Row | null
  /** The columns that differ; all columns of a row that comes or goes. */
  readonly columns: readonly string[]
}

type KeyOf = (table: string, row: Row) => Row

const nameOf = (table: string, key: Row) => JSON.stringify([table, Object.values(key)])

/** Answers the net effect of several writes on each row, in the order in which rows were first written. */
export function netImages(writes: readonly RowImage[], keyOf: KeyOf): RowImage[] {
  const nets = new Map<string, RowImage>()
  for (const write of writes.flatMap((one) => withOneKey(one, keyOf))) {
    const row = write.before ?? write.after
    if (!row) continue
    const name = nameOf(write.table, keyOf(write.table, row))
    const earlier = nets.get(name)
    nets.set(name, earlier ? { ...earlier, after: write.after } : write)
  }
  return [...nets.values()].filter(({ before, after }) => before !== null || after !== null)
}

/** Splits a change of key into a row that goes and a row that comes. */
function withOneKey(write: RowImage, keyOf: KeyOf): RowImage[] {
  const { table, before, after } = write
  if (!before || !after) return [write]
  if (nameOf(table, keyOf(table, before)) === nameOf(table, keyOf(table, after))) return [write]
  return [
    { table, before, after: null },
    { table, before: null, after },
  ]
}

/** Answers the steps that take `images` back, the last done first. Rows that are as they were are left out. */
export function reversals(images: readonly RowImage[], keyOf: KeyOf): RowReversal[] {
  return images.toReversed().flatMap(({ table, before, after }): RowReversal[] => {
    const row = after ?? before
    if (!row) return []
    const columns = Object.keys(row).filter((name) => !before || !after || before[name] !== after[name])
    return columns.length === 0 ? [] : [{ table, key: keyOf(table, row), from: after, to: before, columns }]
  })
}

/**
 * Answers the columns in which a row no longer holds the values to be taken back; null where nothing is in the way.
 *
 * `later` names columns that the server fills in after the fact: they may hold what the author could not know.
 */
export function columnsInTheWay(
  { from, columns }: RowReversal,
  current: Row | null,
  later: ReadonlySet<string>,
): readonly string[] | null {
  if (from === null || current === null) return from === current ? null : columns
  const changed = columns.filter((name) => current[name] !== from[name] && !(later.has(name) && from[name] === null))
  return changed.length === 0 ? null : changed
}
