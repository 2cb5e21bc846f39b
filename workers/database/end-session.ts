import { within } from '../within.ts'
import type { Database } from './database.ts'

/** The server waits this long for a session to end after ending it. */
const ENDING_MS = 3_000
/** A session that ends another: no step of it may take longer than this. */
export const ENDING_SESSION = {
  applicationName: 'tidemark end',
  connectTimeoutMs: 10_000,
  statementTimeoutMs: 10_000,
}
const MOST_MS = 10_000

const END = `SELECT pg_terminate_backend(pid, ${ENDING_MS}) FROM pg_stat_activity
  WHERE pid = $1::int AND usename = session_user AND datname = current_database() AND application_name = $2`

/**
 * Ends a session on the server too, over another connection: closing a connection here leaves a statement running
 * there.
 *
 * `another` opens one and closes it. Never throws: a server that cannot be reached is left to its own limits.
 */
export async function endSession(
  another: (work: (database: Database) => Promise<unknown>) => Promise<unknown>,
  open: Database,
  applicationName: string,
): Promise<void> {
  await within(
    MOST_MS,
    another(({ query }) => query(END, [open.processId, applicationName])),
  ).catch(() => {})
  await open.close()
}
