import type { Row } from '../../../protocol/index.ts'
import type { ForeignKey } from '../../store/rules/foreign-keys.ts'
import { type CapturedWrite, changedColumns, valuesText } from './captured-write.ts'

/** The ways in which a parent may have given values up: a changed key is captured as a delete and an insert. */
interface Leaving {
  isGone: boolean
  isMoved: boolean
}

/**
 * Marks the writes of one mutation, given in order, that a foreign key did to children of rows it had written before.
 *
 * The server does the same by itself, so they are not sent.
 */
export function cascadesAmong(writes: readonly CapturedWrite[], keys: readonly ForeignKey[]): boolean[] {
  const acting = keys.filter(({ onDelete, onUpdate }) => onDelete !== null || onUpdate !== null)
  // The values that parents gave up, by being deleted or changed where children refer to them.
  const left = new Map<string, Leaving>()
  const lastInserts = new Map(writes.flatMap(({ table, before }, index) => (before === null ? [[table, index]] : [])))
  const found: boolean[] = []
  for (const [index, write] of writes.entries()) {
    const own = acting.filter(({ table }) => table === write.table)
    const previous = found[index - 1] === true && writes[index - 1]?.table === write.table ? writes[index - 1] : null
    const around = { next: writes[index + 1] ?? null, moved: previous?.before ?? null }
    found.push(own.some((key) => isCascade(write, key, left, around)))
    const { before, after } = write
    if (before === null) continue
    for (const key of acting) {
      if (key.parent !== write.table) continue
      const was = valuesText(before, key.parentColumns)
      const is = after && valuesText(after, key.parentColumns)
      if (was === null || was === is) continue
      const isReplaced = (lastInserts.get(write.table) ?? -1) > index
      const known = left.get(leftName(key, was)) ?? { isGone: false, isMoved: false }
      known.isGone ||= after === null
      known.isMoved ||= after !== null || isReplaced
      left.set(leftName(key, was), known)
    }
  }
  return found
}

const leftName = (key: ForeignKey, values: string) => `${key.parent} ${key.parentColumns.join()} ${values}`

/** `moved`: the row that a cascade deleted just before. */
function isCascade(
  write: CapturedWrite,
  key: ForeignKey,
  left: ReadonlyMap<string, Leaving>,
  { next, moved }: { readonly next: CapturedWrite | null; readonly moved: Row | null },
): boolean {
  const { before, after } = write
  const followsKey = (from: Row, to: Row) => changedColumns(from, to).every((name) => key.columns.includes(name))
  const movesTo = (from: Row | null, to: Row | null) =>
    from !== null && to !== null && key.onUpdate === 'CASCADE' && followsKey(from, to)
  // An insert can only be the second half of a move: of a child whose own key follows its parent's.
  if (before === null) return movesTo(moved, after)
  const referred = valuesText(before, key.columns)
  const leaving = referred === null ? undefined : left.get(leftName(key, referred))
  if (leaving === undefined) return false
  if (after === null) {
    const isFirstHalf = next?.table === write.table && next.before === null && movesTo(before, next.after)
    return (leaving.isGone && key.onDelete === 'CASCADE') || (leaving.isMoved && isFirstHalf)
  }
  const isEmptied = leaving.isGone && (key.onDelete === 'SET NULL' || key.onDelete === 'SET DEFAULT')
  return (isEmptied || (leaving.isMoved && key.onUpdate !== null)) && followsKey(before, after)
}
