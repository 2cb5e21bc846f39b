import type { Sync } from '../../db/define-sync.ts'
import { applyBetween } from '../../db/definition/apply-between.ts'
import type { AppliedDefinition } from '../../db/definition/apply-definition.ts'
import { declaredNames } from '../../db/definition/declared-table.ts'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { lockJoining } from '../../db/definition/lock-joining.ts'
import { replicaEffects } from '../../db/definition/replica-effects.ts'
import { readStart, type TransactionStart } from '../../db/definition/transaction-start.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import type { Database } from '../../workers/database/index.ts'
import { describeEffects } from './describe-effects.ts'
import { readApplied, readOwnFiles } from './find-pending.ts'
import type { MigrationFile } from './migration-file.ts'
import { LOCK_WAIT_MS, underMigrationLock } from './migration-lock.ts'
import { planMigrations } from './migration-plan.ts'
import { readDown } from './read-down.ts'
import type { ReplicaTrial } from './replica-trial.ts'
import { retryLocks } from './retry-locks.ts'
import { runByVersions } from './run-by-versions.ts'

export interface Reverted {
  /** The file that was taken back, and what took it back. */
  readonly name: string
  readonly down: MigrationFile
  readonly notes: readonly string[]
  readonly version: number | null
}

/**
 * Takes back the app's last applied file by the one beside it, or by the one that was beside it when it ran, with its
 * record, and puts in force what follows from that; null where none is applied. Throws `bad-input` without either, `misconfigured` for what the database
 * refuses or where a synced table could not be synced any more.
 */
export async function revertMigration(
  database: Database,
  appMigrations: string,
  sync: Sync,
  startTrial?: () => Promise<ReplicaTrial>,
): Promise<Reverted | null> {
  return await underMigrationLock(database, async () => {
    const applied = await readApplied(database.query)
    const last = applied.app.at(-1)
    if (last === undefined) return null
    const { pending, faults } = planMigrations(readOwnFiles(), applied.own)
    if (pending.length > 0 || faults.length > 0)
      throw new TidemarkError(
        'bad-input',
        'The tables of Tidemark are of another version than this package: run tidemark migration:run first.',
      )
    const down = await readDown(database.query, appMigrations, last.name)
    const trial = await startTrial?.()
    try {
      return await retryLocks(database, declaredNames(sync), LOCK_WAIT_MS, (query) =>
        takeBack(query, sync, last.name, down, trial),
      )
    } finally {
      await trial?.close()
    }
  })
}

async function takeBack(
  query: Query,
  sync: Sync,
  name: string,
  down: MigrationFile,
  trial: ReplicaTrial | undefined,
): Promise<Reverted> {
  await lockJoining(query, declaredNames(sync))
  const start = await readStart(query)
  const before = await readDefinitionInForce(query)
  const within = await runByVersions(query, sync, down, { start, tryDefinition: trial?.tryDefinition })
  await query('DELETE FROM tidemark.app_migration WHERE name = $1', [name])
  const last = await followDown(query, sync, name, within.start, trial)
  const applied = [...within.applied, ...(last === null ? [] : [last])]
  const changed = applied.filter((one) => one.changed)
  const effects = before === null ? [] : await describeEffects(query, replicaEffects(before, changed))
  const notes = [...applied.flatMap((one) => one.notes), ...effects]
  return { name, down, notes, version: changed.at(-1)?.version ?? null }
}

async function followDown(
  query: Query,
  sync: Sync,
  name: string,
  start: TransactionStart,
  trial: ReplicaTrial | undefined,
): Promise<AppliedDefinition | null> {
  try {
    return (await applyBetween(query, sync, { start, tryDefinition: trial?.tryDefinition }))?.applied ?? null
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.kind !== 'misconfigured') throw error
    throw new TidemarkError(
      'misconfigured',
      `${name} was not taken back, and nothing was changed: without it a synced table could not be synced. ${error.message} ` +
        'Take that table out of sync.ts and run tidemark migration:run first.',
      { cause: error },
    )
  }
}
