import type { Executor } from './copies.ts'
import type { Database } from './database.ts'
import { LIVE_TRIGGER } from './live-ddl.ts'
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

/** Reads the ids of those of these tables that live queries of this session read. */
export async function readWatched(
  db: Executor,
  tables: readonly { readonly id: string; readonly name: string }[],
): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT named.id FROM json_to_recordset($1::text::json) AS named(id text, name text)
     JOIN pg_trigger g ON g.tgrelid = to_regclass(named.name) AND g.tgname = '${LIVE_TRIGGER}'`,
    [JSON.stringify(tables)],
  )
  return new Set(rows.map(({ id }) => id))
}
