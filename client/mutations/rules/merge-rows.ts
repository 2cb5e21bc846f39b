import type { PatchRow } from '../../../protocol/index.ts'

type Insert = Extract<PatchRow, { o: 'i' }>
type Update = Extract<PatchRow, { o: 'u' }>
type Delete = Extract<PatchRow, { o: 'd' }>

/** The net effect of a patch on one row; an insert that stands beside a delete follows it. */
interface RowEffect {
  readonly remove: Delete | null
  readonly update: Update | null
  readonly insert: Insert | null
}

/** Names a row among all rows, equally for equal keys. */
export function rowName({ t, k }: Pick<PatchRow, 't' | 'k'>): string {
  return JSON.stringify([t, Object.entries(k).sort(([a], [b]) => (a < b ? -1 : 1))])
}

const NOTHING: RowEffect = { remove: null, update: null, insert: null }

function add(before: RowEffect, row: PatchRow): RowEffect {
  if (row.o === 'i') return { ...before, update: null, insert: row }
  if (row.o === 'd') return removed(before, row)
  if (before.insert) return { ...before, insert: overwritten(before.insert, row) }
  return { ...before, update: before.update ? mergeUpdates(before.update, row) : row }
}

/** Deletes the row as it was before the first write to it; where there was none, nothing is left to delete. */
function removed(before: RowEffect, row: Delete): RowEffect {
  if (before.remove) return { ...NOTHING, remove: before.remove }
  return before.insert ? NOTHING : { ...NOTHING, remove: row }
}

function overwritten(insert: Insert, { d }: Update): Insert {
  const { z, ...rest } = insert
  const left = z?.filter((name) => !Object.hasOwn(d, name)) ?? []
  return { ...rest, d: { ...insert.d, ...d }, ...(left.length > 0 ? { z: left } : {}) }
}

/** Joins two updates: the earliest bases with the last values. */
const mergeUpdates = (first: Update, then: Update): Update => ({
  ...first,
  d: { ...first.d, ...then.d },
  b: { ...then.b, ...first.b },
})

/** Answers the net effect of one patch followed by another, in the order in which rows were first written. */
export function mergeRows(first: readonly PatchRow[], then: readonly PatchRow[]): PatchRow[] {
  const effects = new Map<string, RowEffect>()
  for (const row of [...first, ...then]) {
    const name = rowName(row)
    effects.set(name, add(effects.get(name) ?? NOTHING, row))
  }
  return [...effects.values()].flatMap(({ remove, update, insert }) =>
    [remove, update, insert].filter((row) => row !== null),
  )
}
