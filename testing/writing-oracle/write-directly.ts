import type { Database } from '../../workers/database/index.ts'
import type { Chronicle } from '../oracle/chronicle.ts'
import type { System } from '../system/start-system.ts'
import type { Operation } from './operation.ts'
import { type PartitionJob, partitionStatements } from './plan-writing.ts'

/**
 * Writes as an app's own endpoint does, past every replica; answers whether it was committed, null where nobody knows.
 */
export async function writeDirectly(
  system: System,
  operation: Operation,
  note: (fault: string) => void,
): Promise<boolean | null> {
  try {
    const database = await system.openDatabase()
    try {
      await database.transaction(async ({ query }) => {
        await query('SET LOCAL search_path = public')
        if (operation.kind === 'add') {
          await query('UPDATE tally SET count = count + 1, log = log || $2 WHERE id = $1', [
            operation.tally,
            `${operation.token} `,
          ])
        } else if (operation.kind === 'patch') {
          for (const { text, params } of operation.statements) await query(text, params)
        }
      })
      return true
    } finally {
      await database.close()
    }
  } catch (error) {
    note(String(error))
    // A constraint refused it, or Postgres was being killed and nobody knows the outcome.
    return /SQLSTATE 2/.test(String(error)) ? false : null
  }
}

/** Does one of the jobs that change partitions, and waits until capture has adopted it where that is needed. */
export async function alterPartitions(database: Database, chronicle: Chronicle, job: PartitionJob): Promise<void> {
  const alter = () =>
    database.transaction(async ({ query }) => {
      for (const statement of partitionStatements(job)) await query(statement)
    })
  // A new empty partition is taken over without a new definition; an unexpected definition is a violation at the end.
  await (job === 'open' ? alter() : chronicle.awaitAdoption(database, alter))
}
