import type { TableDefinition, TableStep } from '../../protocol/index.ts'
import { carriedColumn, columnOf, type StepFacts } from './derive-steps.ts'
import { printedAs } from './kept-types.ts'
import type { RetypedColumns } from './retyped-columns.ts'
import type { TableShape } from './table-shape.ts'

export interface NameFacts extends Pick<StepFacts, 'version' | 'before' | 'after' | 'earlier' | 'now' | 'missing'> {
  /** How values were made others in tables, by id, of which every statement since the version before was looked at. */
  readonly followed: {
    readonly tables: ReadonlyMap<string, TableShape>
    readonly retyped: RetypedColumns
  } | null
  /** The tables of the version before, by its ids, as they were found under its names before rights were given anew. */
  readonly found: ReadonlyMap<string, TableShape>
}

/**
 * Derives what became of the names of the changed tables that have no step, as far as the catalogue tells by their
 * identity and that of their columns. Rows that must be loaded are no reason to lose work that was done on them.
 */
export function deriveNames(facts: NameFacts, steps: readonly TableStep[]): TableStep[] {
  const loaded = facts.after.tables.filter(
    ({ id, since }) => since === facts.version && steps.every(({ table }) => table !== id),
  )
  return loaded.flatMap((table) => namesOf(table, facts) ?? [])
}

function namesOf(table: TableDefinition, facts: NameFacts): TableStep | null {
  const { before, earlier, now, missing } = facts
  const shape = now.get(table.id)
  const old = before.tables.find(({ id }) => shape && earlier.get(id)?.relation === shape.relation)
  const was = old && earlier.get(old.id)
  if (!shape || !old || !was) return null
  const columns = table.columns.map(({ name }) => {
    const carried = carriedColumn({ now: shape, old, earlier: was }, name)
    if (carried === null) return { name, from: null, ...givenValue(missing.get(shape.relation)?.get(name)) }
    const retyped = retypedBy(facts, { id: old.id, was, is: shape, from: carried.from ?? name, name })
    if (retyped !== undefined) return { ...carried, retyped }
    const labels = renamedLabels(columnOf(was, carried.from ?? name), columnOf(shape, name))
    return labels === null ? carried : { ...carried, labels }
  })
  const isKept =
    table.id === old.id &&
    columns.length === old.columns.length &&
    columns.every((column) => column.name === column.from && !('labels' in column) && !('retyped' in column))
  return isKept ? null : { table: table.id, from: old.id, columns }
}

interface CarriedColumn {
  readonly id: string
  readonly was: TableShape
  readonly is: TableShape
  readonly from: string
  readonly name: string
}

/**
 * Answers how values of a column became others; null where that is not known, undefined where they are the same.
 *
 * Where nobody looked, a column of another type is of other values, as is one that was altered in a table that was
 * rewritten: so does an expression that keeps the type.
 */
function retypedBy(
  { followed, found }: NameFacts,
  { id, was, is, from, name }: CarriedColumn,
): TableStep['columns'][number]['retyped'] {
  const [before, after] = [columnOf(was, from), columnOf(is, name)]
  if (!before || !after) return undefined
  if (followed?.tables.has(id)) {
    const stages = followed.retyped.get(is.relation)?.get(after.number)
    return stages && [...stages]
  }
  // A right that is given makes the column's row in the catalogue anew as well.
  const made = found.get(id)?.columns.find(({ number }) => number === after.number)?.made
  const isAltered = before.made !== made && isRewritten(was, is)
  return isAltered || printedAs(before) !== printedAs(after) ? null : undefined
}

const isRewritten = (was: TableShape, is: TableShape) =>
  was.file !== is.file ||
  was.leaves.some(({ relation, file }) => is.leaves.some((leaf) => leaf.relation === relation && leaf.file !== file))

const givenValue = (value: string | null | undefined) => (value === null || value === undefined ? {} : { value })

/**
 * Answers the labels of an enum that go by other names: a label stays in its place when it is renamed, and is another
 * row of the catalogue's history. Null where none was, and where the whole enum may be another.
 */
function renamedLabels(
  was: TableShape['columns'][number] | undefined,
  is: TableShape['columns'][number] | undefined,
): Readonly<Record<string, string>> | null {
  if (!was || !is || was.labels.length !== is.labels.length || is.type.endsWith('[]')) return null
  const [madeBefore, made] = [was.labelsMade?.split(' ') ?? [], is.labelsMade?.split(' ') ?? []]
  const stays = was.labels.filter((label, place) => label === is.labels[place] && madeBefore[place] === made[place])
  const renamed = was.labels.flatMap((label, place): [string, string][] => {
    const now = is.labels[place] ?? label
    return now === label ? [] : [[label, now]]
  })
  const isSame = stays.length > 0 && stays.length + renamed.length === was.labels.length
  return renamed.length > 0 && isSame ? Object.fromEntries(renamed) : null
}
