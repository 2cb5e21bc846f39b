import type { Executor } from './copies.ts'
import type { Database } from './database.ts'
import { LIVE_TRIGGER } from './live-ddl.ts'
import { IS_UNSETTLED, OF_SERVER_ROWS } from './words-ddl.ts'

/** Sets for a transaction what server rows are applied under. */
export const SET_SERVER_ROWS = Object.entries(OF_SERVER_ROWS)
  .map(([name, value]) => `SET LOCAL "${name}" = '${value}';`)
  .join(' ')

const SETTINGS = `
  ${SET_SERVER_ROWS}
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
