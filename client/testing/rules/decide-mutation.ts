import type { ConflictPolicy, Sync } from '../../../db/define-sync.ts'
import { nameOfTable } from '../../../db/definition/declared-table.ts'
import {
  type PatchRow,
  type PushedMutation,
  predictedByPatch,
  type Rejection,
  tableId,
} from '../../../protocol/index.ts'
import { isSameValue } from './same-value.ts'
import type { ServerTables } from './server-tables.ts'

/** The policies of conflicts, by the tables' ids. */
export function conflictPolicies(sync: Sync): ReadonlyMap<string, ConflictPolicy> {
  return new Map(Object.values(sync.tables).map((entry) => [tableId(nameOfTable(entry)), entry.conflict ?? 'reject']))
}

/** Says why the server of a test refuses a mutation as it stands; null where it does not. */
export function refusalOf(
  mutation: PushedMutation,
  tables: ServerTables,
  policies: ReadonlyMap<string, ConflictPolicy>,
  rejected: ReadonlySet<number>,
): Rejection | null {
  const on = mutation.after.find((counter) => rejected.has(counter))
  if (on !== undefined) return { kind: 'dependency', message: 'A mutation that this one builds on was rejected.', on }
  const predicted = mutation.kind === 'patch' ? predictedByPatch(mutation.rows) : (mutation.predicted ?? [])
  for (const change of predicted) {
    const refusal = tables.refusalOf(change)
    if (refusal) return refusal
  }
  if (mutation.kind === 'action') return null
  for (const row of mutation.rows) {
    const refusal = policies.get(row.t) === 'reject' ? conflictOf(row, tables) : null
    if (refusal) return refusal
  }
  return null
}

function conflictOf(row: PatchRow, tables: ServerTables): Rejection | null {
  if (row.o !== 'u') return null
  const held = tables.row(row.t, row.k)
  if (!held) return null
  const columns = Object.entries(row.b)
    .filter(([name, basis]) => {
      const type = tables.table(row.t).columns.find((column) => column.name === name)?.type ?? ''
      const isThere = (value: string | null | undefined) => isSameValue(type, held[name], value)
      return 'v' in basis && !isThere(basis.v) && !isThere(row.d[name])
    })
    .map(([name]) => name)
  if (columns.length === 0) return null
  const message = 'Somebody else has changed the same column.'
  return { kind: 'conflict', message, table: row.t, key: row.k, columns, row: held }
}
