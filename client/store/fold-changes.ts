import { type Change, type Row, TidemarkError } from '../../protocol/index.ts'
import { keyText, type ReplicaTables, tableOf } from './replica-table.ts'

/** A truncate reaches everyone; for a replica still joining it may concern some audiences only. */
export type ReplicaChange =
  | Exclude<Change, { op: 'truncate' }>
  | { readonly op: 'truncate'; readonly table: string; readonly audiences: readonly string[] | null }

/** The net effect of changes on one row; `gone` was inserted and deleted: it must not have been there. */
export type Net =
  | { readonly kind: 'insert'; readonly row: Row }
  | { readonly kind: 'update'; readonly key: Row; readonly row: Row }
  | { readonly kind: 'delete'; readonly key: Row }
  | { readonly kind: 'replace'; readonly key: Row; readonly row: Row }
  | { readonly kind: 'gone'; readonly key: Row }

/** A truncate, and then the rows' net changes in any order: no change passes a truncate. */
export interface Stage {
  /** `everyone`, or the audiences whose rows go; null for a first stage without one. */
  readonly truncate: 'everyone' | readonly string[] | null
  readonly nets: ReadonlyMap<string, Net>
}

type RowChange = Exclude<ReplicaChange, { op: 'truncate' }>
type OpenStage = Stage & { readonly nets: Map<string, Net> }

/**
 * Answers the net effect of changes, given in order, by table. Throws `rehydrate-required` on an order no history has.
 *
 * Tables are independent of each other because nothing checks foreign keys while server rows are applied.
 */
export function foldChanges(changes: Iterable<ReplicaChange>, tables: ReplicaTables): Map<string, Stage[]> {
  const folded = new Map<string, OpenStage[]>()
  for (const change of changes) {
    const table = tableOf(tables, change.table)
    const stages: OpenStage[] = folded.get(change.table) ?? [{ truncate: null, nets: new Map() }]
    folded.set(change.table, stages)
    if (change.op === 'truncate') {
      if (change.audiences === null) stages.length = 0
      stages.push({ truncate: change.audiences ?? 'everyone', nets: new Map() })
      continue
    }
    const nets = stages[stages.length - 1]?.nets ?? new Map<string, Net>()
    const key = keyText(table, change.op === 'insert' ? change.data : change.key)
    nets.set(key, mergeChange(nets.get(key), change))
  }
  return folded
}

function mergeChange(before: Net | undefined, change: RowChange): Net {
  switch (before?.kind) {
    case undefined:
      if (change.op === 'insert') return { kind: 'insert', row: change.data }
      if (change.op === 'update') return { kind: 'update', key: change.key, row: change.data }
      return { kind: 'delete', key: change.key }
    case 'insert':
      if (change.op === 'update') return { kind: 'insert', row: { ...before.row, ...change.data } }
      if (change.op === 'delete') return { kind: 'gone', key: change.key }
      break
    case 'update':
      if (change.op === 'update') return { kind: 'update', key: before.key, row: { ...before.row, ...change.data } }
      if (change.op === 'delete') return { kind: 'delete', key: before.key }
      break
    case 'delete':
      if (change.op === 'insert') return { kind: 'replace', key: before.key, row: change.data }
      break
    case 'replace':
      if (change.op === 'update') return { kind: 'replace', key: before.key, row: { ...before.row, ...change.data } }
      if (change.op === 'delete') return { kind: 'delete', key: before.key }
      break
    case 'gone':
      if (change.op === 'insert') return { kind: 'insert', row: change.data }
      break
  }
  const order = `${change.op} after ${before?.kind}`
  throw new TidemarkError(
    'rehydrate-required',
    `The stream has an impossible order in ${change.table}: ${order} of one row.`,
  )
}
