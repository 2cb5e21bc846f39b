import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { type Database, SQL_STATE, sqlStateOf } from '../../workers/database/index.ts'

/** Kept short, because everyone who comes after us waits for as long as we wait for a lock. */
export const LOCK_TRY_MS = 3_000
const PAUSE_MS = 500
const SHOWN_HOLDERS = 3

/** Tells whether a statement failed for others' locks alone, so that it may go through when run again. */
export function isLockFault(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === SQL_STATE.lockNotAvailable || state === SQL_STATE.deadlockDetected
}

/**
 * Runs a transaction, anew where a lock cannot be had within 3 s or lies in a deadlock, until `waitMs` have passed.
 *
 * Between two tries it holds nothing. Throws `unavailable`, naming the processes that hold `tables`.
 */
export async function retryLocks<Result>(
  database: Database,
  tables: readonly { schema: string; name: string }[],
  waitMs: number,
  run: (query: Query) => Promise<Result>,
): Promise<Result> {
  const deadline = Date.now() + waitMs
  while (true) {
    try {
      return await database.transaction(async ({ query }) => {
        await query(`SET LOCAL lock_timeout = ${LOCK_TRY_MS}`)
        return await run(query)
      })
    } catch (error) {
      if (!isLockFault(error)) throw error
      if (Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
        continue
      }
      throw new TidemarkError(
        'unavailable',
        `A table was in use by others for ${Math.round(waitMs / 1000)} s, and nothing was changed.${await describeHolders(database.query, tables)} ` +
          'Let their transactions end, or end them, then run this again.',
        { cause: error },
      )
    }
  }
}

const HOLDERS = `
  SELECT l.relation::regclass::text AS name, a.pid::text, a.application_name AS application,
    extract(epoch FROM clock_timestamp() - a.xact_start)::int::text AS seconds
  FROM json_to_recordset($1::json) AS wanted(schema text, name text)
  JOIN pg_locks l ON l.relation = to_regclass(format('%I.%I', wanted.schema, wanted.name)) AND l.granted
  JOIN pg_stat_activity a ON a.pid = l.pid AND a.pid <> pg_backend_pid()
  ORDER BY a.xact_start, 1 LIMIT ${SHOWN_HOLDERS}`

/** Names the holders, never their statements, which may hold values. */
async function describeHolders(query: Query, tables: readonly { schema: string; name: string }[]): Promise<string> {
  const holders = await query(HOLDERS, [JSON.stringify(tables)])
  return holders
    .map(
      ({ name, pid, application, seconds }) =>
        ` Process ${pid}${application ? ` (${application})` : ''} has had ${name} in an open transaction for ${seconds} s.`,
    )
    .join('')
}
