import { leasedColumnOf, noLeasedKey } from '../../protocol/index.ts'
import type { ActionRunner } from '../mutations/run-action.ts'
import type { ReplicaTables } from '../store/replica-table.ts'
import type { StoredCall } from '../store/rows/mutation-rows.ts'
import { mayName, type NewNames, newKey, type RefusedKey } from './rules/rename-keys.ts'

/** What stands for what in work that is made anew: other keys, wherever they stand, and other ids that actions made. */
export interface Renamed {
  readonly keys: readonly (RefusedKey & { readonly to: string })[]
  readonly names: NewNames
  readonly ids: Map<string, string>
}

/** Thrown where an action is called with what may be a key that its row has no more, and does not say how it names keys. */
export class CannotRekey extends Error {
  override readonly name = 'CannotRekey'
}

/**
 * Answers the arguments of a call under other keys and ids, as JSON. Throws CannotRekey where nobody knows whether they
 * name such a key, and what the action's `rekey` throws.
 */
export function renamedCall(
  actions: ActionRunner,
  { name, args }: Pick<StoredCall, 'name' | 'args'>,
  { keys, names, ids }: Renamed,
  tables: ReplicaTables,
): string {
  const given = JSON.parse(args, (_, value) => (typeof value === 'string' ? (ids.get(value) ?? value) : value))
  const definition = { tables: [...tables.values()].map((table) => table.definition) }
  const rekeyed = actions.rekeyArguments(name, given, (table, its) => {
    const leased = leasedColumnOf(definition, table)
    if (!leased) throw new Error(noLeasedKey(table))
    const to = newKey(names, leased.table.id, leased.column, String(its))
    return (typeof its === 'number' ? Number(to) : to) as typeof its
  })
  if (rekeyed) return JSON.stringify(rekeyed.args)
  const text = JSON.stringify(given)
  if (!mayName(text, keys)) return text
  const [{ table, key, to } = { table: '', key: '', to: '' }] = keys.filter((one) => mayName(text, [one]))
  throw new CannotRekey(
    `This call may name the row of ${table} that had key ${key} and has ${to} now: call ${name} again with that, and discard this one. ` +
      'Its `rekey` in the sync definition would have it done by itself.',
  )
}
