import type { Sync } from '../../db/define-sync.ts'
import { applyBetween } from '../../db/definition/apply-between.ts'
import {
  type AppliedDefinition,
  breaksWithin,
  type DefinitionChange,
  findFaults,
  type TryDefinition,
} from '../../db/definition/apply-definition.ts'
import { type RanMigration, recordBundles } from '../../db/definition/record-bundles.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { databaseMessageOf, SQL_STATE, sqlStateOf } from '../../workers/database/index.ts'
import type { MigrationFile } from './migration-file.ts'
import { isLockFault } from './retry-locks.ts'
import { runStatements } from './run-file.ts'

export interface Followed {
  readonly applied: readonly AppliedDefinition[]
  readonly notes: readonly string[]
  /** The reasons why a table cannot be synced as the file leaves it. */
  readonly faults: readonly string[]
}

/**
 * Puts in force what follows from a file that others follow. Where that cannot be, the definition stays as it is: what
 * the file altered then is taken for altered by others, and is loaded anew.
 */
export async function followFile(
  query: Query,
  sync: Sync,
  change: DefinitionChange & { readonly ran: RanMigration },
): Promise<Followed> {
  await query('SAVEPOINT tidemark_between')
  try {
    const between = await applyBetween(query, sync, change)
    await query('RELEASE SAVEPOINT tidemark_between')
    if (between === null) return { applied: [], notes: [], faults: [] }
    const { applied, faults } = between
    return { applied: [applied], notes: applied.notes, faults }
  } catch (error) {
    if (isLockFault(error) || !(error instanceof TidemarkError)) throw error
    await query('ROLLBACK TO SAVEPOINT tidemark_between')
    await recordBundles(query, change.ran, breaksWithin(change.within))
    const said = databaseMessageOf(error) ?? error.message
    const note = `The sync definition could not follow ${change.ran.name} and waits for later files: ${said}`
    return { applied: [], notes: [note], faults: [said] }
  }
}

/**
 * Refuses a file after which something cannot be synced, where the files after it do not mend that. They are tried in its
 * transaction and taken back; those that use a label which only a commit makes usable are not. Throws `misconfigured`.
 */
export async function requireMended(
  query: Query,
  sync: Sync,
  file: MigrationFile,
  later: readonly MigrationFile[],
  tryDefinition: TryDefinition = async () => [],
): Promise<void> {
  await query('SAVEPOINT tidemark_later')
  try {
    for (const one of later) await runStatements(query, one)
    const faults = await findFaults(query, sync, tryDefinition)
    if (faults.length > 0) throw new TidemarkError('misconfigured', faults.join('\n'))
  } catch (error) {
    if (isLockFault(error) || !(error instanceof TidemarkError)) throw error
    if (sqlStateOf(error.cause) !== SQL_STATE.unsafeNewEnumValue)
      throw new TidemarkError(
        'misconfigured',
        `${file.name} was not applied, nor anything after it, because what it leaves cannot be synced and is not mended later:\n${error.message}`,
        { cause: error.cause },
      )
  }
  await query('ROLLBACK TO SAVEPOINT tidemark_later')
}
