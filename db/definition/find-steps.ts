import {
  type Definition,
  type DefinitionInForce,
  PINNED_SETTINGS,
  type TableDefinition,
  type TableStep,
} from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { compareShapes } from './compare-shapes.ts'
import { deriveNames } from './derive-names.ts'
import { carriedColumn, columnOf, deriveSteps, givenValue, type StepFacts } from './derive-steps.ts'
import type { DriftFound } from './find-drift.ts'
import { isUnused } from './find-unused.ts'
import { type ProposedStep, proposeSteps } from './propose-steps.ts'
import { type FoundShape, readShapes, type TableShape } from './table-shape.ts'
import { readWritten, relationsOf, type TablesAtStart, type TransactionStart } from './transaction-start.ts'

/** The ways over to a version: for tables whose rows stay, and the names alone of those that are loaded. */
export interface FoundSteps {
  readonly steps: TableStep[]
  readonly names: TableStep[]
  /** The ways over for tables that others altered, if the log tells nothing else of them. */
  readonly proposed: ProposedStep[]
}

/**
 * Finds how replicas make the tables of a version that is about to come in force from the one before, and what became of
 * the names of the others.
 *
 * `after` is dated; `compared` are the shapes as last compared under the version before, by id; `altered` are the tables
 * that were found altered at the end of the transaction's own work.
 */
export async function findSteps(
  query: Query,
  { tables: start, isHeld, retyped }: TransactionStart,
  before: DefinitionInForce | null,
  after: Definition,
  version: number,
  altered: readonly DriftFound[],
  compared: ReadonlyMap<string, FoundShape>,
): Promise<FoundSteps> {
  const changed = after.tables.filter(({ since }) => since === version)
  if (before === null || changed.length === 0) return { steps: [], names: [], proposed: [] }
  await query(`SELECT ${Object.keys(PINNED_SETTINGS).map(setting).join(', ')}`, Object.values(PINNED_SETTINGS))
  const found = await readShapes(query, { ...before, definition: { types: [], tables: changed }, watched: [] })
  const now = new Map<string, TableShape>([...found].flatMap(([id, shape]) => (shape.now ? [[id, shape.now]] : [])))
  const missing = await readMissing(query, [...now.values()])
  // Whoever put another version in force meanwhile may have taken alterations over as well.
  const certain = start?.version === before.version ? start : null
  const isDefined = ([id]: [string, unknown]) => before.definition.tables.some((table) => table.id === id)
  const filled = await readFilled(query, [...now.values()])
  const unplaced = new Set(altered.filter(({ placed }) => !placed).map(({ table }) => table))
  const known = [...compared].flatMap(([id, shape]): [string, TableShape][] =>
    shape.before ? [[id, shape.before]] : [],
  )
  const shown = { tables: changed.filter(({ id }) => !unplaced.has(id)), before: before.definition, now, missing }
  const unused = await findUnused(query, shown, certain)
  const facts = { version, before: before.definition, after, now, missing, filled, unused }
  const written = certain && (await readWritten(query, certain))
  const steps =
    certain === null || written === null
      ? []
      : deriveSteps({ ...facts, earlier: new Map([...certain.shapes].filter(isDefined)), unplaced, written })
  const earlier = new Map([...known, ...(certain?.shapes ?? [])].filter(isDefined))
  const followed = certain === null || retyped === undefined ? null : { tables: certain.shapes, retyped }
  const standing = [...compared].flatMap(([id, shape]): [string, TableShape][] => (shape.now ? [[id, shape.now]] : []))
  const names = deriveNames({ ...facts, earlier, followed, found: new Map(standing) }, steps)
  if (!isHeld) return { steps, names, proposed: [] }
  // What was only heard of, such as a type that was taken back, is not in the catalogue.
  const drifted = compareShapes(before, compared).filter(({ table }) => unplaced.has(table))
  const last = {
    ...facts,
    earlier: new Map(known.filter(isDefined)),
    unplaced,
    written: new Set<string>(),
    unused: new Map(),
  }
  return { steps, names, proposed: proposeSteps(last, new Set(drifted.map(({ table }) => table))) }
}

interface ShownFacts extends Pick<StepFacts, 'before' | 'now' | 'missing'> {
  readonly tables: readonly TableDefinition[]
}

/** Finds the columns that come to travel, by relation, in which no row has any other value than it got at first. */
async function findUnused(
  query: Query,
  { tables, before, now, missing }: ShownFacts,
  certain: TablesAtStart | null,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const unused = new Map<string, Set<string>>()
  for (const table of tables) {
    const shape = now.get(table.id)
    const old = before.tables.find(({ id }) => shape && certain?.shapes.get(id)?.relation === shape.relation)
    const earlier = old && certain?.shapes.get(old.id)
    if (!shape || !old || !earlier) continue
    for (const { name } of table.columns) {
      const isThere = earlier.columns.some(({ number }) => number === columnOf(shape, name)?.number)
      if (!isThere || carriedColumn({ now: shape, old, earlier }, name) !== null) continue
      const value = givenValue(earlier, missing, name)
      if (value === false || !(await isUnused(query, { table, column: name, value }))) continue
      unused.set(shape.relation, (unused.get(shape.relation) ?? new Set()).add(name))
    }
  }
  return unused
}

/** The migration may have set what it likes; values are printed as everywhere. */
const setting = (name: string, index: number) => `set_config('${name}', $${index + 1}, true)`

const relationsAsJson = (shapes: readonly TableShape[]) => JSON.stringify(shapes.flatMap(relationsOf))

async function readFilled(query: Query, shapes: readonly TableShape[]): Promise<ReadonlySet<string>> {
  const rows = await query(
    `SELECT c.oid::text AS relation FROM json_array_elements_text($1::json) AS wanted(relation)
     JOIN pg_class c ON c.oid = wanted.relation::oid WHERE c.relkind <> 'p' AND pg_relation_size(c.oid) IS DISTINCT FROM 0`,
    [relationsAsJson(shapes)],
  )
  return new Set(rows.map(({ relation }) => relation ?? ''))
}

/**
 * Reads the values that rows older than their columns have. An array's text is read back as texts: its element is
 * printed by the type's output function, which is how the log and snapshots print it. A delimiter of another kind would
 * make several.
 */
async function readMissing(
  query: Query,
  shapes: readonly TableShape[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, string | null>>> {
  const rows = await query(
    `SELECT a.attrelid::text AS relation, json_object_agg(a.attname, CASE WHEN cardinality(kept.texts) = 1 THEN kept.texts[1] END)::text AS values
     FROM json_array_elements_text($1::json) AS wanted(relation)
     JOIN pg_attribute a ON a.attrelid = wanted.relation::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atthasmissing
     CROSS JOIN LATERAL (SELECT a.attmissingval::text::text[] AS texts) AS kept
     GROUP BY a.attrelid`,
    [relationsAsJson(shapes)],
  )
  return new Map(
    rows.map(({ relation, values }) => [
      relation ?? '',
      new Map(Object.entries(JSON.parse(values ?? '{}') as Record<string, string | null>)),
    ]),
  )
}
