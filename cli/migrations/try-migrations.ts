import type { Sync } from '../../db/define-sync.ts'
import { declaredNames } from '../../db/definition/declared-table.ts'
import type { Query } from '../../db/query.ts'
import { PINNED_SETTINGS, TidemarkError } from '../../protocol/index.ts'
import { type Database, SQL_STATE, sqlStateOf } from '../../workers/database/index.ts'
import { type MigrationOutcome, type MigrationWatch, planOf } from './apply-migrations.ts'
import { findPending, type PendingFiles } from './find-pending.ts'
import type { MigrationFile } from './migration-file.ts'
import { underMigrationLock } from './migration-lock.ts'
import type { ReplicaTrial } from './replica-trial.ts'
import { LOCK_TRY_MS } from './retry-locks.ts'
import { runAppFiles } from './run-app-files.ts'
import { runFile } from './run-file.ts'
import { takenBack } from './taken-back.ts'

export interface TriedMigrations extends MigrationOutcome {
  readonly pending: PendingFiles
}

/**
 * Does what `applyMigrations` does in one transaction, and takes it back; sequences alone go on. Throws as that does.
 *
 * Files that use a label of an enum that a file before them adds are not tried: Postgres wants that committed first.
 */
export async function tryMigrations(
  database: Database,
  appMigrations: string,
  sync: Sync,
  startTrial?: () => Promise<ReplicaTrial>,
  onPlan?: MigrationWatch['onPlan'],
): Promise<TriedMigrations> {
  return await underMigrationLock(database, async () => {
    const pending = await findPending(database.query, appMigrations, sync.migration)
    onPlan?.(await planOf(database, pending.app, sync))
    const trial = await startTrial?.()
    const ran: string[] = []
    const attempt = (app: readonly MigrationFile[], whole: boolean) =>
      takenBack(database, declaredNames(sync), async (query) => {
        ran.length = 0
        for (const file of pending.own) {
          await runFile(query, file)
          ran.push(file.name)
        }
        // A file may have set what the next one does not expect.
        const inTransaction = async <Result>(_: string, run: (query: Query) => Promise<Result>) => {
          await pinSettings(query)
          return await run(query)
        }
        return await runAppFiles(inTransaction, { files: app, whole }, sync, trial?.tryDefinition, ran)
      })
    try {
      try {
        return { pending, ran, ...(await attempt(pending.app, true)) }
      } catch (error) {
        const place = ran.length - pending.own.length
        const refused = pending.app[place]
        if (place < 1 || refused === undefined || !usesNewLabel(refused, error)) throw error
        const { definition, notes } = await attempt(pending.app.slice(0, place), false)
        const note = `From ${refused.name} on nothing was tried: it uses a label that an earlier file adds, which has to be committed first.`
        return { pending, ran, definition, notes: [...notes, note] }
      }
    } finally {
      await trial?.close()
    }
  })
}

async function pinSettings(query: Query): Promise<void> {
  for (const [name, value] of Object.entries({ ...PINNED_SETTINGS, lock_timeout: String(LOCK_TRY_MS) }))
    await query(`SELECT set_config($1, $2, true)`, [name, value])
}

/** A file that adds the label itself fails in a run as well. */
function usesNewLabel({ statements }: MigrationFile, error: unknown): boolean {
  const isOwn = statements.some((statement) => /\badd\s+value\b/i.test(statement))
  return !isOwn && error instanceof TidemarkError && sqlStateOf(error.cause) === SQL_STATE.unsafeNewEnumValue
}
