import type { ActionMutation, PatchRow, Rejection, TableDefinition } from '../../../protocol/index.ts'

/** A row of a patch with its table, as far as its key counts. */
interface KeyedRow {
  readonly table: TableDefinition
  readonly row: PatchRow
}

/** A key of a sequence that a row is given, by which nobody else may have been given it. */
type NamedKey = readonly [sequence: string, key: string]

const CANONICAL = /^(0|-?[1-9]\d{0,18})$/

const isKey = (text: string): boolean => CANONICAL.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)

/** Answers the keys of sequences by which a row is named; none where its table is not numbered by one. */
function keysOf({ table, row }: KeyedRow): NamedKey[] {
  return table.columns.flatMap(({ name, leased }): NamedKey[] =>
    leased === undefined ? [] : [[leased, row.k[name] ?? '']],
  )
}

const nameOf = ([sequence, key]: NamedKey): string => JSON.stringify([sequence, key])

/** Tells whether a row has what is no key of a sequence, or not as Postgres prints it: nobody can have leased it. */
export const isNoKey = (row: KeyedRow): boolean => keysOf(row).some(([, key]) => !isKey(key))

/** Answers the keys that these steps may give to new rows, for `tidemark.unleased_keys`; null where there are none. */
export function leasedKeysGiven(steps: readonly (KeyedRow & { readonly op: string })[]): string | null {
  const made = steps.filter(({ op }) => op === 'insert' || op === 'move').flatMap(keysOf)
  if (made.length === 0) return null
  const bySequence = Map.groupBy(made, ([sequence]) => sequence)
  return JSON.stringify(
    Object.fromEntries([...bySequence].map(([sequence, keys]) => [sequence, keys.map(([, key]) => key)])),
  )
}

/** The names of keys that their author did not lease. */
export type UnleasedKeys = ReadonlySet<string>

export const NONE_UNLEASED: UnleasedKeys = new Set()

/** Reads the answer of `tidemark.unleased_keys`. */
export const unleasedKeys = (answer: string | null): UnleasedKeys =>
  new Set((JSON.parse(answer ?? '[]') as NamedKey[]).map(nameOf))

/** Tells whether a new row's key is numbered by a sequence of which its author did not lease it. */
export const isUnleased = (step: KeyedRow, unleased: UnleasedKeys): boolean =>
  keysOf(step).some((one) => unleased.has(nameOf(one)))

/** Tells whether an action brings what is no key of a sequence: nobody can have leased it. */
export const bringsNoKey = ({ keys = {} }: ActionMutation): boolean => !Object.values(keys).flat().every(isKey)

/** Answers the keys that an action brings, for `tidemark.unleased_keys`; null where there are none. */
export const leasedKeysBrought = ({ keys }: ActionMutation): string | null =>
  keys === undefined ? null : JSON.stringify(keys)

export const isNumbered = ({ table }: Pick<KeyedRow, 'table'>): boolean =>
  table.columns.some(({ leased }) => leased !== undefined)

export const keyUnleased = ({ t, k }: PatchRow): Rejection => ({
  kind: 'key-unleased',
  message: 'This row has a key that its author did not lease: leave the key out, and the replica numbers the row.',
  table: t,
  key: k,
})

export const ACTION_KEY_UNLEASED: Rejection = {
  kind: 'key-unleased',
  message: 'The action has a key that its author did not lease.',
}

export const keyTaken = ({ t, k }: Pick<PatchRow, 't'> & Partial<PatchRow>): Rejection => ({
  kind: 'key-taken',
  message: 'The key of this row is that of another row by now.',
  table: t,
  ...(k === undefined ? {} : { key: k }),
})
