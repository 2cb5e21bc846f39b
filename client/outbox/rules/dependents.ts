import type { Row } from '../../../protocol/index.ts'
import { rowId, valuesText } from './captured-write.ts'
import type { ForeignKey } from './foreign-keys.ts'

/** What an unsettled mutation does to rows by itself, without cascades. */
export interface Effects {
  readonly counter: number
  readonly rows: readonly {
    readonly table: string
    readonly key: string
    readonly op: 'insert' | 'update' | 'delete'
    /** All columns of an insert, the changed ones of an update, null of a delete. */
    readonly values: Row | null
  }[]
}

/**
 * On which earlier mutations each depends: on one that inserted a row which it writes, or to which a row it writes refers.
 *
 * Mutations come in counter order; counters of each are ascending. What refers to nothing of them is left out.
 */
export function dependencies(mutations: readonly Effects[], keys: readonly ForeignKey[]): Map<number, number[]> {
  const inserted = new Map<string, number>()
  const found = new Map<number, number[]>()
  const parentName = (key: ForeignKey, values: string) => `${key.parent} ${key.parentColumns.join()} ${values}`
  const parents = new Map<string, number>()
  for (const { counter, rows } of mutations) {
    const on = new Set<number | undefined>()
    for (const { table, key, values } of rows) {
      on.add(inserted.get(rowId(table, key)))
      for (const foreign of keys) {
        const referred = foreign.table === table && values ? valuesText(values, foreign.columns) : null
        if (referred !== null) on.add(parents.get(parentName(foreign, referred)))
      }
    }
    on.delete(undefined)
    if (on.size > 0)
      found.set(
        counter,
        [...on].flatMap((one) => one ?? []).sort((a, b) => a - b),
      )
    for (const { table, key, op, values } of rows) {
      if (op === 'delete') inserted.delete(rowId(table, key))
      if (op !== 'insert' || values === null) continue
      inserted.set(rowId(table, key), counter)
      for (const foreign of keys) {
        const offered = foreign.parent === table ? valuesText(values, foreign.parentColumns) : null
        if (offered !== null) parents.set(parentName(foreign, offered), counter)
      }
    }
  }
  return found
}

/** Who falls with these mutations, each with one of those it builds on; those that fall themselves are left out. */
export function dependentsOf(
  fallen: ReadonlySet<number>,
  dependenciesOf: ReadonlyMap<number, readonly number[]>,
): Map<number, number> {
  const dependents = new Map<number, number>()
  for (const [counter, on] of [...dependenciesOf].sort(([a], [b]) => a - b)) {
    const first = on.find((one) => fallen.has(one) || dependents.has(one))
    if (first !== undefined && !fallen.has(counter)) dependents.set(counter, first)
  }
  return dependents
}
