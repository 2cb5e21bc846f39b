import type { Row } from './change.ts'
import type { DefinitionVersion } from './migrations-answer.ts'
import type { PatchRow, PredictedChange } from './mutation.ts'

/** The names that one table and its columns have in a version, by those in the version before. */
export interface NamesOfTable {
  readonly table: string
  /** By name in the version before; a column that is not among them was dropped. */
  readonly columns: ReadonlyMap<string, string>
  /** Columns that must have a value and that nobody fills in: an insert from before gives them that of older rows. */
  readonly filled: Row
}

/** By id of the table in the version before; tables that are not among them have kept their names. */
export type VersionNames = ReadonlyMap<string, NamesOfTable>

/** Answers the names that a version gave. Rule MIG-R4. */
export function namesOfVersion({ definition, steps }: Pick<DefinitionVersion, 'definition' | 'steps'>): VersionNames {
  return new Map(
    steps.flatMap(({ table, from, columns }): [string, NamesOfTable][] => {
      if (from === null) return []
      const named = columns.flatMap((column) => (column.from === null ? [] : [[column.from, column.name] as const]))
      const defined = definition.tables.find(({ id }) => id === table)?.columns ?? []
      const filled = columns.flatMap(({ name, from: before, value }) => {
        const column = defined.find((candidate) => candidate.name === name)
        const isOpen = before === null && column?.notNull && column.default === undefined && !column.serverDefault
        return isOpen && value !== undefined ? [[name, value] as const] : []
      })
      return [[from, { table, columns: new Map(named), filled: Object.fromEntries(filled) }]]
    }),
  )
}

/**
 * Says a patch in the names of the next version. What it says of dropped columns is left out, and a row of which nothing
 * is left with it. Rule MIG-R4.
 */
export function mapPatch(patch: readonly PatchRow[], names: VersionNames): PatchRow[] {
  return patch.flatMap((row): PatchRow[] => {
    const its = names.get(row.t)
    if (its === undefined) return [row]
    if (row.o === 'u') {
      const mapped = mapUpdate(row, its)
      return mapped ? [{ ...mapped, b: renamed(row.b, its) }] : []
    }
    const mapped = mapWhole(row, its)
    if (mapped.o === 'd' || mapped.z === undefined) return [mapped]
    return [{ ...mapped, z: mapped.z.flatMap((name) => its.columns.get(name) ?? []) }]
  })
}

/** Does the same for what a mutation predicts: of one patch both ways lead to the same. */
export function mapPredicted(predicted: readonly PredictedChange[], names: VersionNames): PredictedChange[] {
  return predicted.flatMap((row): PredictedChange[] => {
    const its = names.get(row.t)
    if (its === undefined) return [row]
    if (row.o !== 'u') return [mapWhole(row, its)]
    const mapped = mapUpdate(row, its)
    return mapped ? [mapped] : []
  })
}

/** Says only the tables and keys of a patch in the names of the next version. */
export function mapKeys(patch: readonly PatchRow[], names: VersionNames): PatchRow[] {
  return patch.map((row) => {
    const its = names.get(row.t)
    return its === undefined ? row : { ...row, t: its.table, k: renamed(row.k, its) }
  })
}

/** Answers null where nothing is left of an update. */
function mapUpdate<Update extends { t: string; k: Row; d: Row }>(row: Update, its: NamesOfTable): Update | null {
  const d = renamed(row.d, its)
  return Object.keys(d).length === 0 ? null : { ...row, t: its.table, k: renamed(row.k, its), d }
}

function mapWhole<Whole extends { o: 'i' | 'd'; t: string; k: Row; d?: Row }>(row: Whole, its: NamesOfTable): Whole {
  const named = { ...row, t: its.table, k: renamed(row.k, its) }
  return row.d === undefined ? named : { ...named, d: { ...its.filled, ...renamed(row.d, its) } }
}

function renamed<Value>(values: Readonly<Record<string, Value>>, { columns }: NamesOfTable): Record<string, Value> {
  const entries = Object.entries(values).flatMap(([name, value]): [string, Value][] => {
    const is = columns.get(name)
    return is === undefined ? [] : [[is, value]]
  })
  return Object.fromEntries(entries)
}
