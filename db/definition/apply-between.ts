import { type DefinitionInForce, TidemarkError, tableId } from '../../protocol/index.ts'
import { checkSync, type Sync } from '../define-sync.ts'
import type { Query } from '../query.ts'
import { type AppliedDefinition, type DefinitionChange, ddlOf, putInForce } from './apply-definition.ts'
import { readCatalogue } from './catalogue.ts'
import { declaredKeysOnly, declaredNames, declaredTables, declaredWatch } from './declared-table.ts'
import { readDefinitionInForce } from './definition-in-force.ts'
import { keepAudiences } from './keep-audiences.ts'
import { lockJoining } from './lock-joining.ts'
import { resolveDeclared } from './resolve-definition.ts'
import { joinedSoFar, keptSoFar, keptWatch, type PresentTable, watchedSoFar } from './so-far.ts'
import { watchFaults } from './table-faults.ts'
import { readShapes } from './table-shape.ts'

export interface AppliedBetween {
  readonly applied: AppliedDefinition
  /** The reasons why tables that the app declares, and that are there by now, cannot join; one sentence each. */
  readonly faults: readonly string[]
}

/**
 * Puts in force what follows from a migration after which others come, so that the log tells the rows of each table by
 * the definition that it has at that place; null where none was in force.
 *
 * That is the definition before, its tables and columns found again by their identity, with what the app declares
 * beyond it as far as it is there, and without what it hides; tables that it takes out, audiences, rights and priorities
 * follow with its last migration. To be called like `applyDefinition`, in a savepoint: throws `misconfigured` where a table of the
 * definition before could not be synced meanwhile.
 */
export async function applyBetween(query: Query, sync: Sync, change: DefinitionChange): Promise<AppliedBetween | null> {
  checkSync(sync)
  await query('SET LOCAL search_path = pg_catalog')
  await query('LOCK TABLE tidemark.sync_definition IN SHARE ROW EXCLUSIVE MODE')
  const before = await readDefinitionInForce(query)
  if (before === null) return null
  const present = await readPresent(query, before)
  const names = [...declaredNames(sync), ...present.values()]
  await lockJoining(query, names)
  const found = await readCatalogue(query, unique(names))
  const app = declaredTables(sync)
  const kept = before.definition.tables.flatMap((table) => {
    const now = present.get(table.id)
    return now ? [keptSoFar(table, now, app, found, present)] : []
  })
  // Its triggers go by names, which the migration may have changed.
  const keeping = await keepAudiences(query, await ddlOf(query), kept)
  if (keeping.faults.length > 0) throw new TidemarkError('misconfigured', keeping.faults.join('\n'))
  const catalogue = await readCatalogue(query, unique(names))
  const watches = (before.watched ?? []).flatMap((watch) => {
    const now = present.get(watch.id)
    return now ? [keptWatch(watch, now)] : []
  })
  const more = watchedSoFar((sync.watch ?? []).map(declaredWatch), watches, catalogue)
  const declared = [...kept, ...joinedSoFar(app, kept, catalogue)]
  const { definition, watched, faults } = resolveDeclared(declared, [...watches, ...more], catalogue)
  const isSynced = (id: string) => definition.tables.some((table) => table.id === id)
  const isWatchable = watches.every(
    (watch) =>
      watchFaults(
        watch,
        catalogue.find((table) => tableId(table) === tableId(watch)),
      ).length === 0,
  )
  // Tables that join may have faults still; a later migration makes them whole.
  if (kept.length === 0 || !kept.every((table) => isSynced(tableId(table))) || !isWatchable)
    throw new TidemarkError('misconfigured', faults.join('\n') || 'No synced table is left.')
  const concerned = catalogue.filter(
    (table) => isSynced(tableId(table)) || watched.some(({ id }) => id === tableId(table)),
  )
  // What is to be kept no more is kept no more from the first of them on; what is to be kept again, from the last.
  const still = (before.keysOnly ?? []).flatMap((id) => present.get(id) ?? []).map(tableId)
  const keysOnly = [...new Set([...still, ...declaredKeysOnly(sync)])].filter(isSynced).sort()
  return { applied: await putInForce(query, { definition, watched, keysOnly }, concerned, change), faults }
}

const unique = (names: readonly { schema: string; name: string }[]) => [
  ...new Map(names.map(({ schema, name }) => [tableId({ schema, name }), { schema, name }])).values(),
]

/** Finds the tables of a version, by id, under the names that they and their columns have by now. */
async function readPresent(query: Query, before: DefinitionInForce): Promise<ReadonlyMap<string, PresentTable>> {
  const shapes = [...(await readShapes(query, before))].map(([id, shape]) => {
    if (shape.before === null) throw new TidemarkError('misconfigured', `What table ${id} was made from is not known.`)
    return { id, relation: shape.before.relation, columns: shape.before.columns }
  })
  const rows = await query(
    `SELECT wanted.id, n.nspname::text AS schema, c.relname::text AS name, (
       SELECT json_object_agg(was.name, a.attname) FROM json_to_recordset(wanted.columns) AS was(name text, number int2)
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = was.number AND NOT a.attisdropped)::text AS columns
     FROM json_to_recordset($1::json) AS wanted(id text, relation oid, columns json)
     JOIN pg_class c ON c.oid = wanted.relation AND c.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = c.relnamespace`,
    [JSON.stringify(shapes)],
  )
  return new Map(
    rows.map(({ id, schema, name, columns }) => [
      id ?? '',
      {
        schema: schema ?? '',
        name: name ?? '',
        columns: new Map(Object.entries(JSON.parse(columns ?? '{}') as Record<string, string>)),
      },
    ]),
  )
}
