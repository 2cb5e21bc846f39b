import type { Sync } from '../../db/define-sync.ts'
import { applyBetween } from '../../db/definition/apply-between.ts'
import type { AppliedDefinition, DefinitionChange } from '../../db/definition/apply-definition.ts'
import type { RanMigration } from '../../db/definition/record-bundles.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { databaseMessageOf } from '../../workers/database/index.ts'
import { isLockFault } from './retry-locks.ts'

/**
 * Puts in force what follows from a file that others follow. Where that cannot be, the definition stays as it is: what
 * the file altered then is taken for altered by others, and is loaded anew.
 */
export async function followFile(
  query: Query,
  sync: Sync,
  change: DefinitionChange & { readonly ran: RanMigration },
): Promise<{ applied: AppliedDefinition[]; notes: readonly string[] }> {
  await query('SAVEPOINT tidemark_between')
  try {
    const applied = await applyBetween(query, sync, change)
    await query('RELEASE SAVEPOINT tidemark_between')
    return applied === null ? { applied: [], notes: [] } : { applied: [applied], notes: applied.notes }
  } catch (error) {
    if (isLockFault(error) || !(error instanceof TidemarkError)) throw error
    await query('ROLLBACK TO SAVEPOINT tidemark_between')
    const said = databaseMessageOf(error) ?? error.message
    return {
      applied: [],
      notes: [`The sync definition could not follow ${change.ran.name} and waits for later files: ${said}`],
    }
  }
}
