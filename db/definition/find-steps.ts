import { type Definition, type DefinitionInForce, PINNED_SETTINGS, type TableStep } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { deriveSteps } from './derive-steps.ts'
import type { DriftFound } from './find-drift.ts'
import { readShapes, type TableShape } from './table-shape.ts'
import { readWriteCounts, type TransactionStart } from './transaction-start.ts'

/**
 * Finds how replicas make the tables of a version that is about to come in force from the one before.
 *
 * `after` is dated; `altered` are the tables that were found altered at the end of the transaction's own work.
 */
export async function findSteps(
  query: Query,
  { tables: start }: TransactionStart,
  before: DefinitionInForce | null,
  after: Definition,
  version: number,
  altered: readonly DriftFound[],
): Promise<TableStep[]> {
  const changed = after.tables.filter(({ since }) => since === version)
  // Whoever put another version in force meanwhile may have taken alterations over as well.
  if (before === null || start?.version !== before.version || changed.length === 0) return []
  await query(`SELECT ${Object.keys(PINNED_SETTINGS).map(setting).join(', ')}`, Object.values(PINNED_SETTINGS))
  if (!(await areWritesCounted(query))) return []
  const found = await readShapes(query, { ...before, definition: { types: [], tables: changed }, watched: [] })
  const now = new Map<string, TableShape>([...found].flatMap(([id, shape]) => (shape.now ? [[id, shape.now]] : [])))
  const counts = await readWriteCounts(query)
  const isOther = ([relation, count]: [string, string]) => start.written.get(relation) !== count
  return deriveSteps({
    version,
    before: before.definition,
    after,
    earlier: new Map([...start.shapes].filter(([id]) => before.definition.tables.some((table) => table.id === id))),
    now,
    unplaced: new Set(altered.filter(({ placed }) => !placed).map(({ table }) => table)),
    written: new Set([...counts].filter(isOther).map(([relation]) => relation)),
    filled: await readFilled(query, [...now.values()]),
    missing: await readMissing(query, [...now.values()]),
  })
}

/** The migration may have set what it likes; values are printed as everywhere. */
const setting = (name: string, index: number) => `set_config('${name}', $${index + 1}, true)`

/** Where the server counts no writes, none would be seen. */
async function areWritesCounted(query: Query): Promise<boolean> {
  const [row] = await query(`SELECT current_setting('track_counts') AS counts`)
  return row?.counts === 'on'
}

const relationsOf = (shapes: readonly TableShape[]) =>
  JSON.stringify(shapes.flatMap(({ relation, leaves }) => [relation, ...leaves.map((leaf) => leaf.relation)]))

async function readFilled(query: Query, shapes: readonly TableShape[]): Promise<ReadonlySet<string>> {
  const rows = await query(
    `SELECT c.oid::text AS relation FROM json_array_elements_text($1::json) AS wanted(relation)
     JOIN pg_class c ON c.oid = wanted.relation::oid WHERE c.relkind <> 'p' AND pg_relation_size(c.oid) IS DISTINCT FROM 0`,
    [relationsOf(shapes)],
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
    [relationsOf(shapes)],
  )
  return new Map(
    rows.map(({ relation, values }) => [
      relation ?? '',
      new Map(Object.entries(JSON.parse(values ?? '{}') as Record<string, string | null>)),
    ]),
  )
}
