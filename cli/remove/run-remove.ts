import type { Invocation } from '../command.ts'
import { LOCK_WAIT_MS, underMigrationLock } from '../migrations/migration-lock.ts'
import { retryLocks } from '../migrations/retry-locks.ts'
import { withMigrationDatabase } from '../migrations/with-app-database.ts'
import { planRemoval } from './plan-removal.ts'

/** Prints what is taken out of the database, and takes it where that was confirmed. Throws `bad-input` where it cannot. */
export async function runRemove({ values, switches }: Invocation): Promise<number> {
  const isTrial = switches.has('dry-run') || !switches.has('yes')
  await withMigrationDatabase(values['database-url'], async ({ database, shown }) => {
    console.log(`${isTrial ? 'Would remove' : 'Removing'} from ${shown}:`)
    await underMigrationLock(database, async () => {
      const { slots, statements, stays } = await planRemoval(database.query, switches.has('unused'))
      for (const statement of [...slots, ...statements]) console.log(`  ${statement};`)
      if (slots.length + statements.length === 0) console.log('  nothing, as there is nothing of it.')
      if (!isTrial) {
        for (const statement of slots) await database.query(statement)
        await retryLocks(database, [], LOCK_WAIT_MS, async (query) => {
          for (const statement of statements) await query(statement)
        })
      }
      for (const sentence of stays) console.log(sentence)
    })
    console.log(isTrial ? 'Nothing was removed: say --yes to do it.' : 'Removed.')
  })
  return 0
}
