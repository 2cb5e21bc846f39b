import type { Row, Value } from './change.ts'
import type { Conversion, Convert } from './convert-values.ts'
import type { TableDefinition } from './definition.ts'
import type { NamedVersion } from './migrations-answer.ts'
import type { PatchRow, PredictedChange, Rejection } from './mutation.ts'

/** The names that one table and its columns have in a version, by those in the version before. */
export interface NamesOfTable {
  readonly table: string
  /** By name in the version before; a column that is not among them was dropped. */
  readonly columns: ReadonlyMap<string, string>
  /** Columns that must have a value and that nobody fills in: an insert from before gives them that of older rows. */
  readonly filled: Row
  /** New names of labels of an enum, by column of this version and label of the version before. */
  readonly labels: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** How values of retyped columns become those of this version, by column of it; labels are in it. */
  readonly retyped: ReadonlyMap<string, Conversion>
}

/** By id of the table in the version before; tables that are not among them have kept their names. */
export type VersionNames = ReadonlyMap<string, NamesOfTable>

/** Answers the names that a version gave. Rule MIG-R4. */
export function namesOfVersion({ definition, steps, names }: NamedVersion): VersionNames {
  return new Map(
    [...steps, ...names].flatMap(({ table, from, columns }): [string, NamesOfTable][] => {
      if (from === null) return []
      const named = columns.flatMap((column) => (column.from === null ? [] : [[column.from, column.name] as const]))
      const defined = definition.tables.find(({ id }) => id === table)?.columns ?? []
      const filled = columns.flatMap(({ name, from: before, value }) => {
        const column = defined.find((candidate) => candidate.name === name)
        const isOpen = before === null && column?.notNull && column.default === undefined && !column.serverDefault
        return isOpen && value !== undefined ? [[name, value] as const] : []
      })
      const labels = columns.flatMap(({ name, labels: renamed }) =>
        renamed === undefined ? [] : [[name, new Map(Object.entries(renamed))] as const],
      )
      const retyped = columns.flatMap(({ name, retyped: stages }) =>
        stages === undefined ? [] : [[name, stages] as const],
      )
      const names = { table, columns: new Map(named), filled: Object.fromEntries(filled), labels: new Map(labels) }
      return [[from, { ...names, retyped: new Map(retyped) }]]
    }),
  )
}

/** Says as one the names that a version gave and those that the next gave after it. */
export function composeNames(first: VersionNames, next: VersionNames): VersionNames {
  const middle = new Set([...first.values()].map(({ table }) => table))
  const composed = [...first].map(([id, its]): [string, NamesOfTable] => {
    const then = next.get(its.table)
    return [id, then ? composeTable(its, then) : its]
  })
  // A name that the first took away, or gave, is another table's in the next.
  const others = [...next].filter(([id]) => !first.has(id) && !middle.has(id))
  return new Map([...composed, ...others])
}

function composeTable(first: NamesOfTable, next: NamesOfTable): NamesOfTable {
  const columns = [...first.columns].flatMap(([from, between]): [string, string][] => {
    const name = next.columns.get(between)
    return name === undefined ? [] : [[from, name]]
  })
  const retyped = [...next.columns].flatMap(([between, name]): [string, Conversion][] =>
    first.retyped.has(between) || next.retyped.has(name)
      ? [[name, composed(conversionOf(first, between), conversionOf(next, name))]]
      : [],
  )
  const isRetyped = new Set(retyped.map(([name]) => name))
  const labels = [...next.columns].flatMap(([between, name]): [string, ReadonlyMap<string, string>][] => {
    if (isRetyped.has(name)) return []
    const [earlier, later] = [first.labels.get(between) ?? new Map(), next.labels.get(name) ?? new Map()]
    const followed = [...earlier].map(([label, is]): [string, string] => [label, later.get(is) ?? is])
    const both = new Map([...later, ...followed])
    return both.size === 0 ? [] : [[name, both]]
  })
  // A value that older rows were given is of the first version still; one that a later version converts is given by none.
  const carried = Object.entries(first.filled).filter(([name]) => !isRetyped.has(next.columns.get(name) ?? name))
  const filled = { ...next.filled, ...renamed(Object.fromEntries(carried), next, UNCONVERTED) }
  return { table: next.table, columns: new Map(columns), filled, labels: new Map(labels), retyped: new Map(retyped) }
}

const composed = (first: Conversion, next: Conversion): Conversion =>
  first === null || next === null ? null : [...first, ...next]

/** Answers how values of a column become those of its version, where that is by more than labels or by them alone. */
function conversionOf({ labels, retyped }: NamesOfTable, name: string): Conversion {
  const stages = retyped.get(name)
  if (stages !== undefined) return stages
  const renamedLabels = labels.get(name)
  return renamedLabels === undefined ? [] : [{ labels: Object.fromEntries(renamedLabels) }]
}

/** Answers the names of those tables, as they are before a version, of which work is said otherwise in it. */
export function saysOtherwise(names: VersionNames, before: readonly TableDefinition[]): VersionNames {
  const columnsOf = new Map(before.map(({ id, columns }) => [id, columns]))
  return new Map(
    [...names].filter(([id, its]) => {
      const isSame = its.table === id && columnsOf.get(id)?.every(({ name }) => its.columns.get(name) === name)
      return !isSame || Object.keys(its.filled).length + its.labels.size + its.retyped.size > 0
    }),
  )
}

/** Leaves retyped values as they are, which is for callers alone that know of none. */
const UNCONVERTED: Convert = (_, value) => value

/**
 * Says a patch in the names of the next version. What it says of dropped columns is left out, and a row of which nothing
 * is left with it; so is what cannot be converted, which `findUnconverted` tells before. Rule MIG-R4.
 */
export function mapPatch(patch: readonly PatchRow[], names: VersionNames, convert: Convert = UNCONVERTED): PatchRow[] {
  return patch.flatMap((row): PatchRow[] => {
    const its = names.get(row.t)
    if (its === undefined) return [row]
    if (row.o === 'u') {
      const mapped = mapUpdate(row, its, convert)
      return mapped ? [{ ...mapped, b: renamedBases(row.b, its, convert) }] : []
    }
    const mapped = mapWhole(row, its, convert)
    if (mapped.o === 'd' || mapped.z === undefined) return [mapped]
    const { d } = mapped
    return [
      {
        ...mapped,
        z: mapped.z.flatMap((name) => {
          const is = its.columns.get(name)
          return is !== undefined && Object.hasOwn(d, is) ? [is] : []
        }),
      },
    ]
  })
}

/** Does the same for what a mutation predicts: of one patch both ways lead to the same. */
export function mapPredicted(
  predicted: readonly PredictedChange[],
  names: VersionNames,
  convert: Convert = UNCONVERTED,
): PredictedChange[] {
  return predicted.flatMap((row): PredictedChange[] => {
    const its = names.get(row.t)
    if (its === undefined) return [row]
    if (row.o !== 'u') return [mapWhole(row, its, convert)]
    const mapped = mapUpdate(row, its, convert)
    return mapped ? [mapped] : []
  })
}

/** Says only the tables and keys of a patch in the names of the next version. */
export function mapKeys(patch: readonly PatchRow[], names: VersionNames, convert: Convert = UNCONVERTED): PatchRow[] {
  const orAsItWas: Convert = (conversion, value) => convert(conversion, value) ?? value
  return patch.map((row) => {
    const its = names.get(row.t)
    return its === undefined ? row : { ...row, t: its.table, k: renamed(row.k, its, orAsItWas) }
  })
}

/** The column, in the names of its new version, whose value of the old one cannot be said there. */
export interface Unconverted {
  readonly table: string
  readonly column: string
}

/**
 * Finds a value, or a basis, of a patch or of what was predicted that cannot be said in the next version: nothing of it
 * may be done then.
 */
export function findUnconverted(
  patch: readonly (PatchRow | PredictedChange)[],
  names: VersionNames,
  convert: Convert,
): Unconverted | null {
  for (const row of patch) {
    const its = names.get(row.t)
    if (its === undefined || its.retyped.size === 0) continue
    const bases = row.o === 'u' && 'b' in row ? Object.entries(row.b) : []
    const valued = bases.flatMap(([name, basis]): [string, Value][] => ('v' in basis ? [[name, basis.v]] : []))
    // What is left to the server's default needs no value.
    const left = new Set(row.o === 'i' && 'z' in row ? row.z : [])
    const given = row.o === 'd' ? [] : Object.entries(row.d).filter(([name]) => !left.has(name))
    for (const [before, value] of [...Object.entries(row.k), ...given, ...valued]) {
      const column = its.columns.get(before)
      if (column !== undefined && convertedValue(column, value, its, convert) === undefined)
        return { table: its.table, column }
    }
  }
  return null
}

/** Says why a mutation fails that wrote such a value, or had it as its basis. */
export const unconvertedRejection = ({ table, column }: Unconverted): Rejection => ({
  kind: 'outdated-schema',
  message: `A migration gave column ${column} of ${table} another type, in which what this wrote, or was based on, cannot be said.`,
  table,
  columns: [column],
})

/** Answers null where nothing is left of an update. */
function mapUpdate<Update extends { t: string; k: Row; d: Row }>(
  row: Update,
  its: NamesOfTable,
  convert: Convert,
): Update | null {
  // The key is converted also where nothing is left, because all that may be asked for is asked for once.
  const mapped = { ...row, t: its.table, k: renamed(row.k, its, convert), d: renamed(row.d, its, convert) }
  return Object.keys(mapped.d).length === 0 ? null : mapped
}

function mapWhole<Whole extends { o: 'i' | 'd'; t: string; k: Row; d?: Row }>(
  row: Whole,
  its: NamesOfTable,
  convert: Convert,
): Whole {
  const named = { ...row, t: its.table, k: renamed(row.k, its, convert) }
  return row.d === undefined ? named : { ...named, d: { ...its.filled, ...renamed(row.d, its, convert) } }
}

function renamed(values: Row, its: NamesOfTable, convert: Convert): Row {
  return Object.fromEntries(
    namesOf(values, its).flatMap(([name, value]) => {
      const is = convertedValue(name, value, its, convert)
      return is === undefined ? [] : [[name, is]]
    }),
  )
}

/** A base that is another mutation's write is read in the names of its own time, so that only values are mapped. */
function renamedBases(bases: Bases, its: NamesOfTable, convert: Convert): Bases {
  return Object.fromEntries(
    namesOf(bases, its).flatMap(([name, base]): [string, Bases[string]][] => {
      if (!('v' in base)) return [[name, base]]
      const v = convertedValue(name, base.v, its, convert)
      return v === undefined ? [] : [[name, { ...base, v }]]
    }),
  )
}

type Bases = Extract<PatchRow, { o: 'u' }>['b']

function convertedValue(
  name: string,
  value: Value,
  { labels, retyped }: NamesOfTable,
  convert: Convert,
): Value | undefined {
  const conversion = retyped.get(name)
  if (conversion !== undefined) return convert(conversion, value)
  return value === null ? null : (labels.get(name)?.get(value) ?? value)
}

function namesOf<Value>(values: Readonly<Record<string, Value>>, { columns }: NamesOfTable): [string, Value][] {
  return Object.entries(values).flatMap(([name, value]): [string, Value][] => {
    const is = columns.get(name)
    return is === undefined ? [] : [[is, value]]
  })
}
