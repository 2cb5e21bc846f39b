import {
  type AudienceRule,
  type Definition,
  type TableDefinition,
  type TableStep,
  typesOf,
} from '../../protocol/index.ts'
import { rowsOfNewLeaf } from './compare-shapes.ts'
import { labelsStay, printedAs, type TypeLook, typeLooks } from './kept-types.ts'
import type { TableShape } from './table-shape.ts'
import { relationsOf } from './transaction-start.ts'

/** The catalogue before and after a transaction that puts a version in force. */
export interface StepFacts {
  readonly version: number
  readonly before: Definition
  /** Dated: a table that is of this version alone needs a step, or is loaded. */
  readonly after: Definition
  /** By id of the version before, as the transaction found them; without those in doubt. */
  readonly earlier: ReadonlyMap<string, TableShape>
  /** By id of this version. */
  readonly now: ReadonlyMap<string, TableShape>
  /** Ids of tables that were altered at a place in the log that nobody knows. */
  readonly unplaced: ReadonlySet<string>
  /** Relations of which this transaction wrote rows. */
  readonly written: ReadonlySet<string>
  /** Relations whose files hold, or held, rows. */
  readonly filled: ReadonlySet<string>
  /** By relation: columns that were there and did not travel, in which all rows have what they got when it was added. */
  readonly unused: ReadonlyMap<string, ReadonlySet<string>>
  /** By relation and column: the text that rows older than the column have in it; null where it cannot be told. */
  readonly missing: ReadonlyMap<string, ReadonlyMap<string, string | null>>
}

/** Derives how replicas make each changed table from the version before; doubt means no step for it. */
export function deriveSteps(facts: StepFacts): TableStep[] {
  const changed = facts.after.tables.filter(({ since }) => since === facts.version)
  return changed.flatMap((table) => stepOf(table, facts) ?? [])
}

function stepOf(table: TableDefinition, facts: StepFacts): TableStep | null {
  const now = facts.now.get(table.id)
  if (now === undefined || facts.unplaced.has(table.id) || relationsOf(now).some((one) => facts.written.has(one)))
    return null
  const old = facts.before.tables.find(({ id }) => facts.earlier.get(id)?.relation === now.relation)
  const earlier = old && facts.earlier.get(old.id)
  return old && earlier ? carriedStep({ table, now, old, earlier, facts }) : joiningStep(table, now, facts)
}

function joiningStep(table: TableDefinition, now: TableShape, facts: StepFacts): TableStep | null {
  // One that was there, by name or by relation, is in doubt or was replaced.
  if (facts.before.tables.some(({ id }) => id === table.id)) return null
  return relationsOf(now).some((one) => facts.filled.has(one)) ? null : { table: table.id, from: null, columns: [] }
}

/** A table by both versions. */
interface Pair {
  readonly table: TableDefinition
  readonly now: TableShape
  readonly old: TableDefinition
  readonly earlier: TableShape
  readonly facts: StepFacts
}

function carriedStep(pair: Pair): TableStep | null {
  if (!areRowsInPlace(pair)) return null
  const columns: TableStep['columns'] = []
  for (const { name } of pair.table.columns) {
    const column = carriedColumn(pair, name) ?? addedColumn(pair, name)
    if (column === null) return null
    columns.push(column)
  }
  const fromOf = (name: string) => columns.find((column) => column.name === name)?.from ?? null
  const key = pair.table.primaryKey.map(fromOf)
  if (JSON.stringify(key) !== JSON.stringify(pair.old.primaryKey)) return null
  if (!isSameAudience(pair.old.audience, pair.table.audience, fromOf)) return null
  const isRenamed = columns.some(({ name, from }) => from !== null && from !== name)
  const areAlike = columns.every(({ name, from }) => from === null || isCarriedAlike(pair, name, from, isRenamed))
  return areAlike && areTypesKept(pair) ? { table: pair.table.id, from: pair.old.id, columns } : null
}

/** Tells whether no row was rewritten, brought along or lost with its file. */
function areRowsInPlace({ table, now, earlier }: Pair): boolean {
  if (now.file !== earlier.file) return false
  const stay = earlier.leaves.every((leaf) =>
    now.leaves.some(({ relation, file }) => relation === leaf.relation && file === leaf.file),
  )
  const added = now.leaves.filter(({ relation }) => earlier.leaves.every((leaf) => leaf.relation !== relation))
  return stay && added.every((leaf) => leaf.empty && rowsOfNewLeaf(table, leaf) === null)
}

export const columnOf = ({ columns }: TableShape, name: string) => columns.find((column) => column.name === name)

/** Finds the column of the version before that is this one now; null where there was none. */
export function carriedColumn(
  { now, old, earlier }: Pick<Pair, 'now' | 'old' | 'earlier'>,
  name: string,
): TableStep['columns'][number] | null {
  const number = columnOf(now, name)?.number
  const from = old.columns.find((column) => columnOf(earlier, column.name)?.number === number)
  return number === undefined || from === undefined ? null : { name, from: from.name }
}

function addedColumn({ now, earlier, facts }: Pair, name: string): TableStep['columns'][number] | null {
  const column = columnOf(now, name)
  if (!column || column.generated !== null) return null
  // A number is never given twice: one that stood there was a column that replicas do not have.
  const isThere = earlier.columns.some(({ number }) => number === column.number)
  if (isThere && !facts.unused.get(now.relation)?.has(name)) return null
  const value = givenValue(earlier, facts.missing, name)
  return value === false ? null : { name, from: null, ...(value === null ? {} : { value }) }
}

/** Answers the text that rows older than a column have in it, null for NULL, false where it cannot be told. */
export function givenValue(earlier: TableShape, missing: StepFacts['missing'], name: string): string | null | false {
  const holders = earlier.kind === 'p' ? earlier.leaves.map(({ relation }) => relation) : [earlier.relation]
  const [value, ...others] = new Set(holders.map((relation) => missing.get(relation)?.get(name)))
  return value === null || others.length > 0 ? false : (value ?? null)
}

/** Tells whether a column that keeps its number has the values that it had, and is computed as it was. */
function isCarriedAlike({ table, now, old, earlier }: Pair, name: string, from: string, isRenamed: boolean): boolean {
  const [is, was] = [columnOf(now, name), columnOf(earlier, from)]
  const [defined, before] = [table, old].map(({ columns }, index) =>
    columns.find((column) => column.name === (index === 0 ? name : from)),
  )
  if (!is || !was || !defined || !before) return false
  if (printedAs(is) !== printedAs(was) || !labelsStay(was, is)) return false
  if (defined.serverGenerated !== before.serverGenerated || (is.generated === null) !== (was.generated === null))
    return false
  // An expression names columns, so that a renamed one is in its text; another expression would have rewritten the file.
  return (
    defined.generated === before.generated || (isRenamed && defined.generated !== null && before.generated !== null)
  )
}

function isSameAudience(old: AudienceRule, rule: AudienceRule, fromOf: (name: string) => string | null): boolean {
  if ('constant' in rule) return 'constant' in old && old.constant === rule.constant
  return 'column' in old && old.prefix === rule.prefix && fromOf(rule.column) === old.column
}

/** Tells whether each of the app's types in use is new, or as it was but for labels that joined. */
function areTypesKept({ table, now, facts }: Pair): boolean {
  const before = typeLooks([...facts.earlier.values()])
  const altered = facts.after.types.filter((type) =>
    facts.before.types.some(
      (old) => old.schema === type.schema && old.name === type.name && old.statement !== type.statement,
    ),
  )
  return table.columns.every((column) => {
    const is = columnOf(now, column.name)
    const was: TypeLook | undefined = is && before.get(is.type.replace('[]', ''))
    if (was === undefined) return typesOf([column], altered).length === 0
    return is?.base === was.base && labelsStay(was, is)
  })
}
