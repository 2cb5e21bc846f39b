import { TidemarkError } from '../../protocol/index.ts'
import { type Database, databaseMessageOf, openDatabase } from '../../workers/database/index.ts'
import type { DatabaseEnv } from '../../workers/env.ts'
import type { PlannedTransaction } from './workload.ts'

export interface WorkloadRun {
  /** Counts the transactions that have finished, however they ended. */
  readonly done: number
  readonly committed: number
  /** One line for each on how it ended, for a failure's report. */
  readonly log: readonly string[]
  readonly finished: Promise<void>
}

const RECONNECT_MS = 200

/**
 * Runs planned transactions over several connections at once; how they interleave is left to chance.
 *
 * Refused statements and deadlocks are part of the plan; a lost connection is opened again, and its transaction's fate
 * stays unknown, as it does to any application.
 */
export function runWorkload(
  env: DatabaseEnv,
  plan: readonly PlannedTransaction[],
  connections: number,
  pauseMs: (index: number) => number = () => 0,
): WorkloadRun {
  const queue = [...plan]
  const log: string[] = []
  let done = 0
  let committed = 0

  const worker = async (number: number) => {
    let database: Database | null = null
    for (;;) {
      const next = queue.shift()
      if (!next) break
      database = await connected(env, database)
      // The pauses spread transactions out, so that replicas get to see states in between.
      await new Promise((resolve) => setTimeout(resolve, pauseMs(next.index)))
      const outcome = await runTransaction(database, next)
      log.push(`#${next.index} on connection ${number}: ${outcome}`)
      done += 1
      if (outcome === 'commit') committed += 1
    }
    await database?.close()
  }
  const finished = Promise.all(Array.from({ length: connections }, (_, number) => worker(number))).then(() => {})
  return {
    get done() {
      return done
    },
    get committed() {
      return committed
    },
    log,
    finished,
  }
}

/** Runs one planned transaction; answers how it ended. */
export async function runTransaction(database: Database, planned: PlannedTransaction): Promise<string> {
  // Half of them survive a refused statement by a savepoint; the other half fall with it.
  const guarded = planned.index % 2 === 0
  try {
    await database.query('BEGIN')
    for (const { text, params } of planned.statements) {
      if (!guarded) {
        await database.query(text, params)
        continue
      }
      await database.query('SAVEPOINT guard')
      try {
        await database.query(text, params)
      } catch (error) {
        if (!database.usable) throw error
        await database.query('ROLLBACK TO SAVEPOINT guard')
      }
    }
    await database.query(planned.end === 'commit' ? 'COMMIT' : 'ROLLBACK')
    return planned.end
  } catch (error) {
    if (database.usable) await database.query('ROLLBACK').catch(() => {})
    return `failed: ${databaseMessageOf(error) ?? String(error)}`
  }
}

async function connected(env: DatabaseEnv, database: Database | null): Promise<Database> {
  if (database?.usable) return database
  await database?.close()
  for (;;) {
    try {
      return await openDatabase(env, { applicationName: 'oracle', statementTimeoutMs: 30_000, lockTimeoutMs: 5_000 })
    } catch (error) {
      if (!(error instanceof TidemarkError)) throw error
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS))
    }
  }
}
