import type { Sync } from '../../db/define-sync.ts'
import { isInForce } from '../../db/definition/apply-definition.ts'
import { declaredNames } from '../../db/definition/declared-table.ts'
import type { Query } from '../../db/query.ts'
import type { Database } from '../../workers/database/index.ts'
import { readAppMigrations } from './app-migrations.ts'
import { findPending, readOwnFiles } from './find-pending.ts'
import { LOCK_WAIT_MS, underMigrationLock } from './migration-lock.ts'
import type { ReplicaTrial } from './replica-trial.ts'
import { retryLocks } from './retry-locks.ts'
import { type AppliedFiles, type InTransaction, runAppFiles } from './run-app-files.ts'
import { runFile } from './run-file.ts'

export interface MigrationOutcome extends AppliedFiles {
  /** Names of the files that ran, in order. */
  readonly ran: readonly string[]
}

/**
 * Brings a database up to date with this package and the app's folder: our migrations, the app's, the sync definition.
 *
 * Each file runs in one transaction with its record, and what follows from it for the definition comes in force there
 * too, so that capture never meets the one without the other; the whole of what the app declares, with its last pending
 * file. `startTrial` starts the database in which a definition that may be new is tried. Two runs at once wait for each
 * other. Throws `bad-input` for files that contradict the record, `misconfigured` for what the database refuses.
 */
export async function applyMigrations(
  database: Database,
  appMigrations: string,
  sync: Sync,
  startTrial?: () => Promise<ReplicaTrial>,
): Promise<MigrationOutcome> {
  return await underMigrationLock(database, async () => {
    const { own, app } = await findPending(database.query, appMigrations, sync.migration)
    const inTransaction: InTransaction = (run) => retryLocks(database, declaredNames(sync), LOCK_WAIT_MS, run)
    const ran: string[] = []
    for (const file of own) {
      await inTransaction((query) => runFile(query, file))
      ran.push(file.name)
    }
    // Started before anything is locked, because the app waits for every lock.
    const trial = app.length > 0 || !(await isInForce(database.query, sync)) ? await startTrial?.() : undefined
    try {
      const applied = await runAppFiles(inTransaction, { files: app, whole: true }, sync, trial?.tryDefinition, ran)
      return { ran, ...applied }
    } finally {
      await trial?.close()
    }
  })
}

/** Applies our migrations and those of a folder to an empty database, without a definition. Throws as `applyMigrations`. */
export async function applyFiles(query: Query, appMigrations: string): Promise<void> {
  for (const file of [...readOwnFiles(), ...(await readAppMigrations(appMigrations))]) {
    await query('BEGIN')
    await runFile(query, file)
    await query('COMMIT')
  }
}
