import type { Row } from '../../../protocol/index.ts'
import { rowId, valuesText } from '../../store/rules/captured-write.ts'
import type { ForeignKey } from '../../store/rules/foreign-keys.ts'

/** The rows that an unsettled mutation writes by itself, without cascades. */
export interface Effects {
  readonly counter: number
  readonly rows: readonly {
    readonly table: string
    readonly key: string
    readonly op: 'insert' | 'update' | 'delete'
    /** The row's known values afterwards: all of an insert, at least an update's changed ones; null for a delete. */
    readonly values: Row | null
  }[]
}

/**
 * Finds the earlier mutations on which each depends: those that inserted a row that it writes or its row refers to.
 *
 * Mutations come in counter order; the counters found for each ascend. A mutation that depends on none is left out.
 */
export function dependencies(mutations: readonly Effects[], keys: readonly ForeignKey[]): Map<number, number[]> {
  const inserted = new Map<string, number>()
  const parents = keys.map(() => new Parents())
  const found = new Map<number, number[]>()
  for (const { counter, rows } of mutations) {
    const on = new Set<number>()
    for (const { table, key, values } of rows) {
      const before = inserted.get(rowId(table, key))
      if (before !== undefined) on.add(before)
      for (const [index, foreign] of keys.entries()) {
        if (foreign.table !== table || values === null) continue
        for (const parent of parents[index]?.of(foreign, values) ?? []) on.add(parent)
      }
    }
    if (on.size > 0)
      found.set(
        counter,
        [...on].sort((a, b) => a - b),
      )
    for (const { table, key, op, values } of rows) {
      if (op === 'delete') inserted.delete(rowId(table, key))
      if (op !== 'insert' || values === null) continue
      inserted.set(rowId(table, key), counter)
      for (const [index, foreign] of keys.entries())
        if (foreign.parent === table) parents[index]?.add(foreign, values, counter)
    }
  }
  return found
}

/** Inserted rows to which one foreign key may refer. */
class Parents {
  readonly #byValues = new Map<string, number>()
  readonly #all: { readonly values: Row; readonly counter: number }[] = []

  add({ parentColumns }: ForeignKey, values: Row, counter: number): void {
    const offered = valuesText(values, parentColumns)
    if (offered === null) return
    this.#byValues.set(offered, counter)
    this.#all.push({ values, counter })
  }

  /** Answers the mutations whose rows these values refer to; where only some columns are known, all that fit them. */
  of({ columns, parentColumns }: ForeignKey, values: Row): number[] {
    const known = columns.filter((name) => values[name] !== undefined)
    if (known.length === 0 || known.some((name) => values[name] === null)) return []
    if (known.length === columns.length) {
      const found = this.#byValues.get(valuesText(values, columns) ?? '')
      return found === undefined ? [] : [found]
    }
    const fits = (parent: Row) =>
      known.every((name) => parent[parentColumns[columns.indexOf(name)] ?? ''] === values[name])
    return this.#all.filter((one) => fits(one.values)).map(({ counter }) => counter)
  }
}

/** Answers the mutations that fall with the fallen ones, each with one it builds on; the fallen ones are left out. */
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
