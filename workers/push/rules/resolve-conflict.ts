import type { ConflictPolicy } from '../../../db/index.ts'
import type { PatchRow, Row } from '../../../protocol/index.ts'
import { MutationRejected } from './mutation-rejected.ts'
import { isStorable } from './parse-mutation.ts'

export interface FoundConflict {
  /** The server's row, hidden columns left out. */
  readonly server: Row
  readonly basis: Row
  /** The columns that no longer hold their basis. */
  readonly columns: readonly string[]
}

/**
 * Returns what the table's policy writes into the columns in conflict; a resolver may leave some as the server has
 * them. Throws MutationRejected.
 */
export function resolveConflict(policy: ConflictPolicy, row: PatchRow, conflict: FoundConflict): Row {
  const { server, basis, columns } = conflict
  const refused = (message: string) =>
    new MutationRejected({ kind: 'conflict', message, table: row.t, key: row.k, columns: [...columns], row: server })
  if (typeof policy !== 'function') throw refused('Somebody else has changed the same field.')
  let resolved: unknown
  try {
    resolved = policy({ server, mine: 'd' in row ? row.d : {}, basis, columns })
  } catch {
    throw refused('Somebody else has changed the same field, and the two do not go together.')
  }
  if (!isResolution(resolved, columns))
    throw refused('Somebody else has changed the same field; the resolver gave no values for it.')
  return resolved
}

function isResolution(value: unknown, columns: readonly string[]): value is Row {
  if (typeof value !== 'object' || value === null) return false
  // A promise, a list or a map has no columns of its own, and would pass for the wish to leave all as it is.
  if (![Object.prototype, null].includes(Object.getPrototypeOf(value))) return false
  return Object.entries(value).every(
    ([name, text]) => columns.includes(name) && (text === null || (typeof text === 'string' && isStorable(text))),
  )
}
