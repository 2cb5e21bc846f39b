import type { PastRow, Row } from '../../../protocol/index.ts'
import type { RowReversal } from '../../mutations/rules/reverse-rows.ts'
import type { ReplicaTable } from '../../store/replica-table.ts'

/** The columns that a restore is about. */
export interface RestoreOptions {
  /** Only these; a row that was deleted comes back whole all the same. Default: all that a mutation may write. */
  readonly columns?: readonly string[]
  /** All but these, such as what a trigger of the app keeps; `version` and `updatedAt` of a `BaseEntity` are left out anyway. */
  readonly except?: readonly string[]
}

type RestorePlan =
  | { readonly refused: 'absent' }
  | { readonly refused: 'columns'; readonly columns: readonly string[] }
  /** Null where the row is as it was. `open` are columns that came since, of a row that is to come back. */
  | { readonly refused: null; readonly step: RowReversal | null; readonly open: readonly string[] }

/** Says how the row that is here now becomes what it was; `current` null: it was deleted, and comes back. */
export function planRestore(
  { id, columns, key: keyColumns }: Pick<ReplicaTable, 'id' | 'columns' | 'key'>,
  past: Pick<PastRow, 'row' | 'untold' | 'stamps'>,
  current: Row | null,
  options: RestoreOptions,
): RestorePlan {
  const { row } = past
  if (row === null) return { refused: 'absent' }
  const keyNames = new Set(keyColumns.map(({ name }) => name))
  const except = new Set(options.except)
  const isNamed = (name: string) => options.columns?.includes(name) ?? !past.stamps.includes(name)
  const writable = columns.filter(({ serverGenerated }) => !serverGenerated).map(({ name }) => name)
  const wanted = current ? writable.filter((name) => isNamed(name) && !except.has(name)) : writable
  const untold = past.untold.map(({ column }) => column).filter((name) => wanted.includes(name) && !except.has(name))
  if (untold.length > 0) return { refused: 'columns', columns: untold }
  const key = Object.fromEntries([...keyNames].map((name) => [name, (current ?? row)[name] ?? null]))
  if (current === null) {
    const given = writable.filter((name) => Object.hasOwn(row, name) && (!except.has(name) || keyNames.has(name)))
    const to = Object.fromEntries(given.map((name) => [name, row[name] ?? null]))
    const open = writable.filter((name) => !Object.hasOwn(to, name))
    return { refused: null, step: { table: id, key, from: null, to, columns: given }, open }
  }
  const differing = wanted.filter(
    (name) => !keyNames.has(name) && Object.hasOwn(row, name) && row[name] !== (current[name] ?? null),
  )
  const step = { table: id, key, from: current, to: { ...current, ...row }, columns: differing }
  return { refused: null, step: differing.length === 0 ? null : step, open: [] }
}
