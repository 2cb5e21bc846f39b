import type { PatchRow, Row, TableDefinition } from '../../../protocol/index.ts'
import type { TableChange } from './plan-versions.ts'

/** The names that the columns of one table have in the next version; null: it has none of that name any more. */
export interface NamesOfTable {
  readonly table: string
  readonly columns: ReadonlyMap<string, string | null>
  /** Columns that a row must have a value in and that nobody fills in: an insert from before gives them this. */
  readonly filled: Row
}

/** Answers by id in the version before what became of each table and its columns. */
export function namesAfter(changes: readonly TableChange[]): Map<string, NamesOfTable> {
  return new Map(
    changes.flatMap(({ before, after, step }): [string, NamesOfTable][] => {
      if (before === null) return []
      const nameOf = new Map(step.columns.map(({ name, from }) => [from, name]))
      const columns = new Map(before.columns.map(({ name }) => [name, nameOf.get(name) ?? null]))
      return [[before.id, { table: after.id, columns, filled: filledBy(after, step.columns) }]]
    }),
  )
}

function filledBy(after: TableDefinition, columns: TableChange['step']['columns']): Row {
  const added = columns.flatMap(({ name, from, value }) => {
    const column = after.columns.find((candidate) => candidate.name === name)
    const isOpen = from === null && column?.notNull && column.default === undefined && !column.serverDefault
    return isOpen && value !== undefined ? [[name, value] as const] : []
  })
  return Object.fromEntries(added)
}

/**
 * Says a patch in the names of the next version. What it says of dropped columns is left out, and a row of which nothing
 * is left with it. Rule MIG-R4.
 */
export function mapPatch(patch: readonly PatchRow[], names: ReadonlyMap<string, NamesOfTable>): PatchRow[] {
  return patch.flatMap((row): PatchRow[] => {
    const its = names.get(row.t)
    if (its === undefined) return [row]
    const mapped = { ...row, t: its.table, k: renamed(row.k, its) }
    if (mapped.o === 'd') return [mapped]
    if (mapped.o === 'u') {
      const [d, b] = [renamed(mapped.d, its), renamed(mapped.b, its)]
      return Object.keys(d).length === 0 ? [] : [{ ...mapped, d, b }]
    }
    const d = { ...its.filled, ...renamed(mapped.d, its) }
    const z = mapped.z?.flatMap((name) => its.columns.get(name) ?? [])
    return [z === undefined ? { ...mapped, d } : { ...mapped, d, z }]
  })
}

/** Says alone the tables and keys of a patch in the names of the next version. */
export function mapKeys(patch: readonly PatchRow[], names: ReadonlyMap<string, NamesOfTable>): PatchRow[] {
  return patch.map((row) => {
    const its = names.get(row.t)
    return its === undefined ? row : { ...row, t: its.table, k: renamed(row.k, its) }
  })
}

function renamed<Value>(values: Readonly<Record<string, Value>>, { columns }: NamesOfTable): Record<string, Value> {
  const entries = Object.entries(values).flatMap(([name, value]): [string, Value][] => {
    const is = columns.get(name)
    // A name that the version before did not have is none that this can say anything of.
    if (is === undefined) return [[name, value]]
    return is === null ? [] : [[is, value]]
  })
  return Object.fromEntries(entries)
}
