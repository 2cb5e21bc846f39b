import type { Sync } from '../../db/define-sync.ts'
import { foreseeFaults, isInForce } from '../../db/definition/apply-definition.ts'
import { declaredNames, declaredTables } from '../../db/definition/declared-table.ts'
import { prepareAudiences } from '../../db/definition/prepare-audiences.ts'
import type { Query } from '../../db/query.ts'
import type { Database } from '../../workers/database/index.ts'
import { readAppMigrations } from './app-migrations.ts'
import { describePlan } from './describe-plan.ts'
import { findPending, readOwnFiles } from './find-pending.ts'
import type { MigrationFile } from './migration-file.ts'
import { LOCK_WAIT_MS, underMigrationLock } from './migration-lock.ts'
import type { ReplicaTrial } from './replica-trial.ts'
import { retryLocks } from './retry-locks.ts'
import { type AppliedFiles, type InTransaction, runAppFiles } from './run-app-files.ts'
import { runBatches } from './run-batches.ts'
import { runFile } from './run-file.ts'
import { type WritersBound, withinBound } from './writers-bound.ts'

export interface MigrationOutcome extends AppliedFiles {
  /** Names of the files that ran, in order. */
  readonly ran: readonly string[]
}

/** What whoever runs migrations wants besides. */
export interface MigrationWatch {
  /** Told what will be done to tables that are there, before anything is. */
  readonly onPlan?: (lines: readonly string[]) => void
  /** Without it those who write wait for as long as it takes. */
  readonly bound?: WritersBound | undefined
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
  { onPlan, bound }: MigrationWatch = {},
): Promise<MigrationOutcome> {
  return await underMigrationLock(database, async () => {
    const { own, app } = await findPending(database.query, appMigrations, sync.migration)
    onPlan?.(await planOf(database, app, sync))
    const inTransaction: InTransaction = (what, run) =>
      retryLocks(database, declaredNames(sync), LOCK_WAIT_MS, (query) =>
        bound ? withinBound({ query, processId: database.processId }, what, bound, run) : run(query),
      )
    const ran: string[] = []
    for (const file of own) {
      await inTransaction(file.name, (query) => runFile(query, file))
      ran.push(file.name)
    }
    const prepared = await prepareAudiences(
      { query: database.query, inTransaction: (run) => inTransaction('Keeping audiences', run) },
      declaredTables(sync),
    )
    // Started before anything is locked, because the app waits for every lock.
    const trial = app.length > 0 || !(await isInForce(database.query, sync)) ? await startTrial?.() : undefined
    try {
      // What can be tried before anybody has to wait is, where no file changes it meanwhile.
      if (trial && app.length === 0)
        await database.transaction(({ query }) => foreseeFaults(query, sync, trial.tryDefinition), { readOnly: true })
      const applied = await runAppFiles(
        inTransaction,
        { files: app, whole: true, runBatches: (file) => runBatches(database, file) },
        sync,
        trial?.tryDefinition,
        ran,
      )
      const notes = prepared.map((table) => `Gave the rows of ${table} their audiences, in batches.`)
      return { ran, ...applied, notes: [...notes, ...applied.notes] }
    } finally {
      await trial?.close()
    }
  })
}

/** Says what will be done to tables that are there, looking by the search path of the app, as its files will. */
export async function planOf(
  database: Database,
  app: readonly MigrationFile[],
  sync: Sync,
): Promise<readonly string[]> {
  return await database.transaction(
    async ({ query }) => {
      await query('SET LOCAL search_path TO DEFAULT')
      return await describePlan(query, app, sync)
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/**
 * Applies our migrations and those of a folder to an empty database, up to one of them where it is given, without a
 * definition. Throws as `applyMigrations`.
 */
export async function applyFiles(query: Query, appMigrations: string, last?: string): Promise<void> {
  const app = (await readAppMigrations(appMigrations)).filter(({ name }) => last === undefined || name <= last)
  for (const file of [...readOwnFiles(), ...app]) {
    await query('BEGIN')
    await runFile(query, file)
    await query('COMMIT')
  }
}
