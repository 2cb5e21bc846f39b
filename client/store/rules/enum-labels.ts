import { type Definition, enumLabels } from '../../../protocol/index.ts'

type Type = Definition['types'][number]

/** A label to be added to an enum, with the one that it stands after; null: it becomes the first. */
export interface AddedLabel {
  readonly label: string
  readonly after: string | null
}

/**
 * Finds the labels that an enum of one definition lacks of the same in another; null where it is no enum, or where the
 * other does not have all of its labels in their order.
 */
export function addedLabels(before: Type, after: Type): readonly AddedLabel[] | null {
  const [old, wanted] = [enumLabels(before.statement), enumLabels(after.statement)]
  if (old === null || wanted === null) return null
  const added: AddedLabel[] = []
  let next = 0
  for (const [index, label] of wanted.entries()) {
    if (label === old[next]) next += 1
    else added.push({ label, after: wanted[index - 1] ?? null })
  }
  return next === old.length ? added : null
}
