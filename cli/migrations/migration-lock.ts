import { TidemarkError } from '../../protocol/errors.ts'
import { type Database, SQL_STATE, sqlStateOf } from '../../workers/database/index.ts'

/** Any number will do, as long as every version uses the same. */
const LOCK_KEY = '7884210518930377'
/** The time that a migration waits for another, and for tables that others use. */
export const LOCK_WAIT_MS = 120_000

/** Runs while no other migration of the database does. Throws `unavailable` after two minutes. */
export async function underMigrationLock<Result>(database: Database, run: () => Promise<Result>): Promise<Result> {
  await database.query(`SELECT set_config('lock_timeout', $1, false)`, [String(LOCK_WAIT_MS)])
  try {
    await database.query(`SELECT pg_advisory_lock(${LOCK_KEY})`)
  } catch (error) {
    if (sqlStateOf(error) !== SQL_STATE.lockNotAvailable) throw error
    throw new TidemarkError(
      'unavailable',
      'Another migration of this database has been running for two minutes. Wait for it to end, then run this again.',
      { cause: error },
    )
  }
  try {
    return await run()
  } finally {
    if (database.usable) await database.query(`SELECT pg_advisory_unlock(${LOCK_KEY})`)
  }
}
