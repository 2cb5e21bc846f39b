import type { Row } from '../../../protocol/index.ts'
import type { ForeignKey } from '../../store/rules/foreign-keys.ts'
import { type CapturedWrite, changedColumns, valuesText } from './captured-write.ts'

/**
 * Marks the writes of one mutation, given in order, that a foreign key did to children of rows it had written before.
 *
 * The server does the same by itself, so they are not sent.
 */
export function cascadesAmong(writes: readonly CapturedWrite[], keys: readonly ForeignKey[]): boolean[] {
  const acting = keys.filter(({ onDelete, onUpdate }) => onDelete !== null || onUpdate !== null)
  // The values that parents gave up, by being deleted or changed where children refer to them.
  const left = new Set<string>()
  const found: boolean[] = []
  for (const [index, write] of writes.entries()) {
    const own = acting.filter(({ table }) => table === write.table)
    const previous = found[index - 1] === true && writes[index - 1]?.table === write.table ? writes[index - 1] : null
    found.push(own.some((key) => isCascade(write, key, left, previous?.before ?? null)))
    const { before, after } = write
    if (before === null) continue
    for (const key of acting) {
      if (key.parent !== write.table) continue
      const was = valuesText(before, key.parentColumns)
      const is = after && valuesText(after, key.parentColumns)
      if (was !== null && was !== is) left.add(leftName(key, was))
    }
  }
  return found
}

const leftName = (key: ForeignKey, values: string) => `${key.parent} ${key.parentColumns.join()} ${values}`

/** `moved`: the row that a cascade deleted just before. */
function isCascade(write: CapturedWrite, key: ForeignKey, left: ReadonlySet<string>, moved: Row | null): boolean {
  const { before, after } = write
  const followsKey = (from: Row, to: Row) => changedColumns(from, to).every((name) => key.columns.includes(name))
  // An insert can only be the second half of a move: of a child whose own key follows its parent's.
  if (before === null) return moved !== null && after !== null && key.onUpdate === 'CASCADE' && followsKey(moved, after)
  const referred = valuesText(before, key.columns)
  if (referred === null || !left.has(leftName(key, referred))) return false
  return after === null || followsKey(before, after)
}
