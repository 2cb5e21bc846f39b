import type { Sync } from '../../db/define-sync.ts'
import { adoptDefinition } from '../../db/definition/adopt-definition.ts'
import { isInForce } from '../../db/definition/apply-definition.ts'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import { type DriftFound, findDrift } from '../../db/definition/find-drift.ts'
import { replicaEffects } from '../../db/definition/replica-effects.ts'
import { readStart } from '../../db/definition/transaction-start.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import type { Database } from '../../workers/database/index.ts'
import { describeEffects } from './describe-effects.ts'
import { findPending } from './find-pending.ts'
import { LOCK_WAIT_MS, underMigrationLock } from './migration-lock.ts'
import { retryLocks } from './retry-locks.ts'
import { takenBack } from './taken-back.ts'

export interface Adopted {
  readonly drifted: readonly DriftFound[]
  /** Ids of tables that cannot be synced as they are. */
  readonly leftOut: readonly string[]
  readonly notes: readonly string[]
  readonly version: number
  /** True where it is the one that the app declares by now. */
  readonly declared: boolean
}

/**
 * Puts in force the definition that follows from the tables as others altered them; null where none did. `isTrial`
 * takes it all back. Throws `misconfigured` where nothing is in force or could be synced, `bad-input` where the tables of Tidemark are of another version.
 */
export async function adoptTables(
  database: Database,
  appMigrations: string,
  sync: Sync,
  isTrial: boolean,
): Promise<Adopted | null> {
  return await underMigrationLock(database, async () => {
    const { own } = await findPending(database.query, appMigrations)
    const before = own.length > 0 ? null : await readDefinitionInForce(database.query)
    if (before === null)
      throw new TidemarkError('misconfigured', 'No sync definition is in force: run tidemark migration:run first.')
    const tables = [...before.definition.tables, ...(before.watched ?? [])]
    const run = (query: Query) => adopt(query, sync)
    return isTrial ? await takenBack(database, tables, run) : await retryLocks(database, tables, LOCK_WAIT_MS, run)
  })
}

async function adopt(query: Query, sync: Sync): Promise<Adopted | null> {
  // Holds the tables as they are, so that those judged are those adopted.
  await readStart(query)
  const before = await readDefinitionInForce(query)
  const drifted = before === null ? [] : await findDrift(query, before)
  if (before === null || drifted.length === 0) return null
  const applied = await adoptDefinition(query, drifted)
  const { version, definition, notes } = applied
  const effects = replicaEffects(before, [applied])
  const leftOut = drifted.map(({ table }) => table).filter((id) => definition.tables.every((table) => table.id !== id))
  return {
    drifted,
    leftOut,
    notes: [...notes, ...(await describeEffects(query, effects))],
    version,
    declared: await isInForce(query, sync),
  }
}
