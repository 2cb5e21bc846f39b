import {
  composeNames,
  type Definition,
  type NamedVersion,
  namesOfVersion,
  travellingColumns,
  type UntoldColumn,
  type VersionNames,
} from '../../../protocol/index.ts'

/** What became of a table's columns since a version. */
interface ColumnsSince {
  /** Columns of now whose values of then cannot be said. */
  readonly untold: readonly UntoldColumn[]
  /** Columns of then that there are no more, under any name. */
  readonly gone: readonly string[]
}

/**
 * Compares a table as it was with what `later` versions made of it, all of them in order; null where it was not synced then
 * under the name that it has now.
 */
export function columnsSince(id: string, then: Definition, later: readonly NamedVersion[]): ColumnsSince | null {
  const tableIn = ({ tables }: Definition) => tables.find((table) => table.id === id)
  const was = tableIn(then)
  const is = tableIn(later.at(-1)?.definition ?? then)
  const names = later
    .reduce<VersionNames>((so, version) => composeNames(so, namesOfVersion(version)), new Map())
    .get(id)
  if (!was || !is || (names && names.table !== id)) return null
  const nameNow = (name: string) =>
    names ? names.columns.get(name) : is.columns.some((column) => column.name === name) ? name : undefined
  const cameFrom = new Map(was.columns.flatMap(({ name, type }) => [[nameNow(name) ?? null, { name, type }] as const]))
  const wasHidden = (name: string) =>
    later.some(({ definition }) => !tableIn(definition)?.columns.some((column) => column.name === name))
  const whyUntold = (name: string, type: string): UntoldColumn['why'] | null => {
    const from = cameFrom.get(name)
    // One that came since has no value of then, unless another had its name.
    if (!from) return was.columns.some((column) => column.name === name) ? 'hidden' : null
    if (from.name !== name) return 'renamed'
    if (wasHidden(name)) return 'hidden'
    return from.type !== type || names?.retyped.has(name) || names?.labels.has(name) ? 'retyped' : null
  }
  return {
    untold: travellingColumns(is).flatMap(({ name, type }) => {
      const why = whyUntold(name, type)
      return why === null ? [] : [{ column: name, why }]
    }),
    gone: travellingColumns(was).flatMap(({ name }) => (nameNow(name) === undefined ? [name] : [])),
  }
}
