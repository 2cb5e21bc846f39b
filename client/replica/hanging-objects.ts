import { quoteIdentifier, quoteTable, type TableDefinition } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import { storageFault } from '../store/storage-fault.ts'

/** The objects that hang on tables about to be dropped, and how to make them again. */
export interface HangingObjects {
  readonly objects: readonly HangingObject[]
  /** The objects that cannot be made again, as Postgres describes them. */
  readonly lost: readonly string[]
}

interface HangingObject {
  readonly what: string
  readonly statement: string
  /** The statement that drops it by itself; null for what goes with its table or its view. */
  readonly drop: string | null
}

const TABLES = `named AS (
  SELECT c.oid, c.relnamespace FROM json_array_elements_text($1::text::json) AS named(name) JOIN pg_class c ON c.oid = to_regclass(named.name))`

/** Views over the tables, and views over those, each after the ones that it reads. */
const VIEWS = `
  WITH RECURSIVE ${TABLES}, hanging AS (
    SELECT r.ev_class AS oid FROM named t
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
    JOIN pg_rewrite r ON r.oid = d.objid
    UNION
    SELECT r.ev_class FROM hanging h
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = h.oid
    JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> h.oid
  )
  SELECT c.oid::text, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relnamespace = pg_my_temp_schema() AS temporary,
    array_to_string(c.reloptions, ', ') AS options, pg_get_viewdef(c.oid) AS query,
    coalesce((SELECT json_agg(pg_get_indexdef(i.indexrelid)) FROM pg_index i WHERE i.indrelid = c.oid), '[]')::text AS indexes
  FROM hanging h JOIN pg_class c ON c.oid = h.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('v', 'm') ORDER BY c.oid`

const INDEXES = `
  WITH ${TABLES} SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS statement
  FROM named t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class c ON c.oid = i.indexrelid
  WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)`

/** Constraints of the tables, and those of others that refer to them. */
const CONSTRAINTS = `
  WITH ${TABLES} SELECT k.conname AS name, format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)) AS statement
  FROM pg_constraint k
  WHERE k.contype IN ('c', 'u', 'x', 'f') AND (k.conrelid IN (SELECT oid FROM named) OR k.confrelid IN (SELECT oid FROM named))`

const TRIGGERS = `
  WITH ${TABLES} SELECT g.tgname AS name, pg_get_triggerdef(g.oid) AS statement FROM named t JOIN pg_trigger g ON g.tgrelid = t.oid
  WHERE NOT g.tgisinternal AND NOT EXISTS (SELECT FROM pg_proc f WHERE f.oid = g.tgfoid AND f.pronamespace = 'tidemark'::regnamespace)`

const OTHERS = `
  WITH ${TABLES} SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) AS name FROM named t
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.deptype = 'n' AND d.classid = 'pg_proc'::regclass`

/** The search for views costs more than all else that a step does, so that it is made only where there is one. */
const IS_SEEN = `
  WITH ${TABLES} SELECT EXISTS (
    SELECT FROM named t JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
  ) AS seen`

interface ViewRow {
  readonly schema: string
  readonly name: string
  readonly kind: 'v' | 'm'
  readonly temporary: boolean
  readonly options: string | null
  readonly query: string
  readonly indexes: string
}

/**
 * Detaches the objects that hang on these tables, which are then dropped, and answers those to be made again.
 *
 * Objects that the synced definition names are not among them: they are made as after a load.
 */
export async function detachObjects(
  tx: Executor,
  tables: readonly TableDefinition[],
  synced: readonly TableDefinition[],
): Promise<HangingObjects> {
  if (tables.length === 0) return { objects: [], lost: [] }
  const names = namesOf(tables)
  const own = await readOwnObjects(tx, tables, synced)
  const views = await detachViews(tx, tables)
  const lost = (await tx.query<{ name: string }>(OTHERS, names)).rows.map(({ name }) => name)
  return { objects: [...own, ...views.objects], lost }
}

/** Works as `detachObjects`, for tables that stay and are altered: only what reads them goes. */
export async function detachViews(tx: Executor, tables: readonly TableDefinition[]): Promise<HangingObjects> {
  if (tables.length === 0) return { objects: [], lost: [] }
  const { rows } = await tx.query<{ seen: boolean }>(IS_SEEN, namesOf(tables))
  if (rows[0]?.seen !== true) return { objects: [], lost: [] }
  const views = (await tx.query<ViewRow>(VIEWS, namesOf(tables))).rows
  return { objects: views.flatMap(viewStatements), lost: [] }
}

/** Drops views that were detached from tables that stay. */
export async function dropViews(tx: Executor, { objects }: HangingObjects): Promise<void> {
  const drops = objects.flatMap(({ drop }) => (drop === null ? [] : [`${drop} CASCADE;`]))
  if (drops.length > 0) await tx.exec(drops.join('\n'))
}

/** Reads the indexes, constraints and triggers of these tables that are the app's own. */
export async function readOwnObjects(
  tx: Executor,
  tables: readonly TableDefinition[],
  synced: readonly TableDefinition[],
): Promise<HangingObject[]> {
  if (tables.length === 0) return []
  const ours = new Set(
    synced
      .flatMap(({ uniques, indexes, foreignKeys }) => [...uniques, ...indexes, ...foreignKeys])
      .map(({ name }) => name),
  )
  const read = async (what: string, text: string): Promise<HangingObject[]> => {
    const { rows } = await tx.query<{ name: string; statement: string }>(text, namesOf(tables))
    return rows
      .filter(({ name }) => !ours.has(name))
      .map(({ name, statement }) => ({ what: `${what} ${name}`, statement, drop: null }))
  }
  return [
    ...(await read('index', INDEXES)),
    ...(await read('constraint', CONSTRAINTS)),
    ...(await read('trigger', TRIGGERS)),
  ]
}

const namesOf = (tables: readonly TableDefinition[]) => [JSON.stringify(tables.map(quoteTable))]

function viewStatements({ schema, name, kind, temporary, options, query, indexes }: ViewRow): HangingObject[] {
  const qualified = temporary ? `pg_temp.${quoteIdentifier(name)}` : quoteTable({ schema, name })
  const made = kind === 'm' ? 'MATERIALIZED VIEW' : 'VIEW'
  const text = `CREATE ${made} ${qualified}${options ? ` WITH (${options})` : ''} AS ${query}`
  const ofView = JSON.parse(indexes) as string[]
  return [
    { what: `view ${name}`, statement: text, drop: `DROP ${made} IF EXISTS ${qualified}` },
    ...ofView.map((statement) => ({ what: `an index of view ${name}`, statement, drop: null })),
  ]
}

/** Makes detached objects again, and answers a sentence for each thing that is lost. */
export async function remakeObjects(tx: Executor, { objects, lost }: HangingObjects): Promise<string[]> {
  const losses = lost.map((what) => `${what} went with a synced table that was made anew: create it again.`)
  for (const { what, statement } of objects) {
    const fault = await tryStatement(tx, statement)
    if (fault !== null)
      losses.push(`The app's ${what} does not fit the synced tables as they are now and is gone: ${fault}`)
  }
  return losses
}

async function tryStatement(tx: Executor, statement: string): Promise<string | null> {
  await tx.exec('SAVEPOINT putting_back')
  try {
    await tx.exec(statement)
    await tx.exec('RELEASE SAVEPOINT putting_back')
    return null
  } catch (error) {
    // A device that has no room for it has none for the rows to come.
    if (storageFault(error)) throw error
    await tx.exec('ROLLBACK TO SAVEPOINT putting_back; RELEASE SAVEPOINT putting_back')
    return error instanceof Error ? error.message : String(error)
  }
}
