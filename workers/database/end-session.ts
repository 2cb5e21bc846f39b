import type { DatabaseEnv } from '../env.ts'
import { within } from '../within.ts'
import { type Database, withDatabase } from './database.ts'

/** The server waits this long for a session to end after ending it. */
const ENDING_MS = 3_000
const MOST_MS = 10_000

const END = `SELECT pg_terminate_backend(pid, ${ENDING_MS}) FROM pg_stat_activity
  WHERE pid = $1::int AND usename = session_user AND datname = current_database() AND application_name = $2`

/**
 * Ends a session on the server too, over another connection: closing a connection here leaves a statement running
 * there.
 *
 * Never throws: a server that cannot be reached is left to its own limits.
 */
export async function endSession(env: DatabaseEnv, open: Database, applicationName: string): Promise<void> {
  const end = withDatabase(env, ({ query }) => query(END, [open.processId, applicationName]), {
    applicationName: 'tidemark end',
    connectTimeoutMs: MOST_MS,
    statementTimeoutMs: MOST_MS,
  })
  await within(MOST_MS, end).catch(() => {})
  await open.close()
}
