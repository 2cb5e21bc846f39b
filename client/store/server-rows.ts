import type { Executor } from './copies.ts'
import type { Database } from './database.ts'
import { IS_UNSETTLED } from './outbox-ddl.ts'

/**
 * Server rows are applied with triggers and foreign keys off, which the server has enforced already, and under the input
 * settings their text was written with, whatever the app has set.
 */
const SETTINGS = `
  SET LOCAL session_replication_role = replica;
  SET LOCAL search_path = pg_catalog;
  SET LOCAL "DateStyle" = 'ISO, MDY';
  SET LOCAL "IntervalStyle" = 'postgres';
  SET LOCAL "TimeZone" = 'UTC';
  SELECT EXISTS (SELECT FROM tidemark.mutation WHERE ${IS_UNSETTLED}) AS unsettled;
`

/** Runs `work` in the one transaction that may write synced tables; `hasPending`: there is work of the app's own on them. */
export function withServerRows<Result>(
  db: Database,
  work: (tx: Executor, hasPending: boolean) => Promise<Result>,
): Promise<Result> {
  return db.transaction(async (tx) => {
    const results = await tx.exec(SETTINGS)
    return work(tx, results.at(-1)?.rows[0]?.unsettled === true)
  })
}

/** PGlite's live queries listen per table; their own triggers are off while server rows are applied. */
export const NOTIFY_LIVE_QUERIES = (names: string) => `
  SELECT count(pg_notify('table_change__' ||
    (SELECT c.relnamespace || '__' || c.oid FROM pg_class c WHERE c.oid = to_regclass(named.name)), ''))
  FROM json_array_elements_text(${names}::text::json) AS named(name) WHERE to_regclass(named.name) IS NOT NULL`

/** Notifies live queries of tables, by their names, once this is committed. */
export async function notifyLiveQueries(tx: Executor, names: Iterable<string>): Promise<void> {
  await tx.query(NOTIFY_LIVE_QUERIES('$1'), [JSON.stringify([...names])])
}

/** Reads the ids of those of these tables that a live query listens to now. */
export async function readWatched(
  db: Executor,
  tables: readonly { readonly id: string; readonly name: string }[],
): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT named.id FROM json_to_recordset($1::text::json) AS named(id text, name text)
     JOIN pg_class c ON c.oid = to_regclass(named.name)
     WHERE 'table_change__' || c.relnamespace || '__' || c.oid IN (SELECT pg_listening_channels())`,
    [JSON.stringify(tables)],
  )
  return new Set(rows.map(({ id }) => id))
}
