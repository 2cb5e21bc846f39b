import type { Query } from '../../db/index.ts'
import { MIGRATION_APPLICATION } from '../database/index.ts'

/** A migration gives up a lock after 3 s, and everyone who comes later waits behind it. */
const LOOK_EVERY_MS = 1_000

const WAITS = `
  SELECT EXISTS (
    SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE NOT l.granted AND a.application_name = '${MIGRATION_APPLICATION}' AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid))
  )::text AS waits`

/** Thrown in a transaction whose locks a migration waits for. */
export class MigrationWaits extends Error {}

/** Makes a look whether a migration waits for this transaction, to be called often; throws MigrationWaits then. */
export function lookForMigrations(query: Query): () => Promise<void> {
  let lookedAtMs = Date.now()
  return async () => {
    if (Date.now() - lookedAtMs < LOOK_EVERY_MS) return
    lookedAtMs = Date.now()
    const [row] = await query(WAITS)
    if (row?.waits === 'true') throw new MigrationWaits('A migration waits for a table that is being read.')
  }
}
