import type { PatchRow, Rejection, Row } from '../../../protocol/index.ts'
import type { ReplicaTables } from '../../store/replica-table.ts'
import type { ForeignKey } from '../../store/rules/foreign-keys.ts'

/** The key of a new row that is to have another one, by the column that a sequence numbers. */
export interface RefusedKey {
  readonly table: string
  readonly column: string
  readonly sequence: string
  readonly key: string
}

/** Answers the keys of a patch's new rows that a refusal is about; all of a table, or of the patch, where it names none. */
export function refusedKeys(
  patch: readonly PatchRow[],
  tables: ReplicaTables,
  { kind, table: named, key }: Pick<Rejection, 'kind' | 'table' | 'key'>,
): RefusedKey[] {
  const isMeant = (row: PatchRow) =>
    kind === 'key-unleased' ||
    ((named === undefined || row.t === named) &&
      (key === undefined || Object.entries(key).every(([name, value]) => row.k[name] === value)))
  return patch.flatMap((row) =>
    row.o === 'i' && isMeant(row)
      ? (tables.get(row.t)?.columns ?? []).flatMap(({ name: column, leased: sequence }) =>
          sequence === undefined ? [] : [{ table: row.t, column, sequence, key: row.k[column] ?? '' }],
        )
      : [],
  )
}

/** Answers the keys that an action took by itself and that a refusal is about; all where it names no table. */
export function refusedKeysOfAction(
  keys: Readonly<Record<string, readonly string[]>>,
  tables: ReplicaTables,
  { table: named }: Pick<Rejection, 'table'>,
): RefusedKey[] {
  const columns = [...tables.values()].flatMap(({ id: table, columns: its }) =>
    its.flatMap(({ name: column, leased: sequence }) => (sequence === undefined ? [] : [{ table, column, sequence }])),
  )
  return Object.entries(keys).flatMap(([sequence, taken]) => {
    const numbered = columns.find((one) => one.sequence === sequence)
    return numbered && (named === undefined || named === numbered.table)
      ? taken.map((key) => ({ ...numbered, key }))
      : []
  })
}

/** For each column, by table and name, what takes the place of which value. */
export type NewNames = ReadonlyMap<string, ReadonlyMap<string, string>>

const columnId = (table: string, column: string) => JSON.stringify([table, column])

/** Answers new names for values of all columns that hold these keys: their own, and those that refer to them by foreign keys. */
export function newNames(
  renamed: readonly (RefusedKey & { readonly to: string })[],
  foreignKeys: readonly ForeignKey[],
): NewNames {
  const names = new Map<string, Map<string, string>>()
  const queue: { readonly table: string; readonly column: string; readonly values: ReadonlyMap<string, string> }[] = []
  for (const [id, ofColumn] of Map.groupBy(renamed, ({ table, column }) => columnId(table, column))) {
    const [first] = ofColumn
    const values = new Map(ofColumn.map(({ key, to }) => [key, to]))
    names.set(id, values)
    if (first) queue.push({ table: first.table, column: first.column, values })
  }
  // A column is reached once from each key, whatever circle foreign keys make.
  const seen = new Set<string>()
  for (let at = queue.shift(); at; at = queue.shift()) {
    for (const { table, columns, parent, parentColumns } of foreignKeys) {
      const column = parent === at.table ? columns[parentColumns.indexOf(at.column)] : undefined
      if (column === undefined) continue
      const id = columnId(table, column)
      const step = JSON.stringify([columnId(at.table, at.column), id])
      if (seen.has(step)) continue
      seen.add(step)
      names.set(id, new Map([...at.values, ...(names.get(id) ?? [])]))
      queue.push({ table, column, values: at.values })
    }
  }
  return names
}

/** Answers the key that a row of a table has now which had this one. */
export const newKey = (names: NewNames, table: string, column: string, key: string): string =>
  names.get(columnId(table, column))?.get(key) ?? key

/** Tells whether a text may name one of these keys: as a number that stands by itself. */
export function mayName(text: string, renamed: readonly { readonly key: string }[]): boolean {
  const numbers = new Set(text.match(/\d+/g))
  return renamed.some(({ key }) => numbers.has(key.replace('-', '')))
}

/**
 * Answers the rows with every value that names a renamed key under its new name, and with other ids in the place of those
 * that actions made, wherever they stand.
 */
export function renameKeys(
  patch: readonly PatchRow[],
  names: NewNames,
  ids: ReadonlyMap<string, string> = new Map(),
): PatchRow[] {
  return patch.map((row): PatchRow => {
    const renamed = <Of extends Row>(values: Of): Record<string, string | null> =>
      Object.fromEntries(
        Object.entries(values).map(([name, value]) => {
          const to = value === null ? undefined : (names.get(columnId(row.t, name))?.get(value) ?? ids.get(value))
          return [name, to ?? value]
        }),
      )
    if (row.o === 'd') return { ...row, k: renamed(row.k) }
    return { ...row, k: renamed(row.k), d: renamed(row.d) }
  })
}
