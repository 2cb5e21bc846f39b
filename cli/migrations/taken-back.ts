import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import type { Database } from '../../workers/database/index.ts'
import { LOCK_WAIT_MS } from './migration-lock.ts'
import { retryLocks } from './retry-locks.ts'

/** Runs as `retryLocks` does, in a transaction that is rolled back. */
export async function takenBack<Result>(
  database: Database,
  tables: readonly { schema: string; name: string }[],
  run: (query: Query) => Promise<Result>,
): Promise<Result> {
  const undo = new Error('Rolled back on purpose.')
  const results: Result[] = []
  try {
    await retryLocks(database, tables, LOCK_WAIT_MS, async (query) => {
      results.push(await run(query))
      throw undo
    })
  } catch (error) {
    if (error !== undo) throw error
  }
  const [result] = results
  if (result === undefined) throw new TidemarkError('internal', 'A trial of migrations ended without a result.')
  return result
}
