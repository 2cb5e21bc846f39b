import type { Row } from '../../../protocol/index.ts'
import { type CapturedWrite, changedColumns, valuesText } from '../../store/rules/captured-write.ts'
import type { ForeignKey } from '../../store/rules/foreign-keys.ts'

/** The ways in which a parent gave values up. A changed primary key is captured, and sent, as a delete and an insert. */
interface Leaving {
  isGone: boolean
  /** Its table got a new row later, which may be the same parent under another key. */
  isReplaced: boolean
  /** The columns that children refer to were changed, and the row was not. */
  isChanged: boolean
}

/**
 * Marks the writes of one mutation, given in order, that a foreign key did to children of rows it had written before.
 *
 * The server does the same by itself, so they are not sent. Children that followed a primary key are sent: the server
 * gets no change of a key, by which its own foreign keys would move them, but a delete, by which they would go too.
 */
export function cascadesAmong(writes: readonly CapturedWrite[], keys: readonly ForeignKey[]): boolean[] {
  const acting = keys.filter(({ onDelete, onUpdate }) => onDelete !== null || onUpdate !== null)
  // The values that parents gave up, by being deleted or changed where children refer to them.
  const left = new Map<string, Leaving>()
  const lastInserts = new Map(writes.flatMap(({ table, before }, index) => (before === null ? [[table, index]] : [])))
  const found: boolean[] = []
  for (const [index, write] of writes.entries()) {
    found.push(acting.some((key) => key.table === write.table && isCascade(write, key, left)))
    const { before, after } = write
    if (before === null) continue
    for (const key of acting) {
      if (key.parent !== write.table) continue
      const was = valuesText(before, key.parentColumns)
      if (was === null || was === (after && valuesText(after, key.parentColumns))) continue
      const known = left.get(leftName(key, was)) ?? { isGone: false, isReplaced: false, isChanged: false }
      known.isGone ||= after === null
      known.isReplaced ||= after === null && (lastInserts.get(write.table) ?? -1) > index
      known.isChanged ||= after !== null
      left.set(leftName(key, was), known)
    }
  }
  return found
}

const leftName = (key: ForeignKey, values: string) => `${key.parent} ${key.parentColumns.join()} ${values}`

function isCascade({ before, after }: CapturedWrite, key: ForeignKey, left: ReadonlyMap<string, Leaving>): boolean {
  const referred = before && valuesText(before, key.columns)
  const leaving = referred === null ? undefined : left.get(leftName(key, referred))
  if (before === null || leaving === undefined) return false
  if (after === null) return leaving.isGone && key.onDelete === 'CASCADE'
  return (
    (isEmptied(before, after, key, leaving) || (leaving.isChanged && key.onUpdate !== null)) &&
    follows(before, after, key)
  )
}

function isEmptied(before: Row, after: Row, key: ForeignKey, { isGone, isReplaced }: Leaving): boolean {
  if (key.onDelete === 'SET NULL') return isGone && changedColumns(before, after).every((name) => after[name] === null)
  // A default may be anything, so one that may be a parent's new key is sent.
  return key.onDelete === 'SET DEFAULT' && isGone && !isReplaced
}

const follows = (before: Row, after: Row, { columns }: ForeignKey) =>
  changedColumns(before, after).every((name) => columns.includes(name))
