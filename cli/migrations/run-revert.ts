import type { Invocation } from '../command.ts'
import { startReplicaTrial } from './replica-trial.ts'
import { revertMigration } from './revert-migration.ts'
import { withAppDatabase } from './with-app-database.ts'

/** Takes back the last migration and prints what that did. */
export async function runRevert(invocation: Invocation): Promise<number> {
  const reverted = await withAppDatabase(invocation, async ({ app, sync, database, shown }) => {
    console.log(`Reverting on ${shown}`)
    return await revertMigration(database, app.migrations, sync, startReplicaTrial)
  })
  if (reverted === null) {
    console.log('Migrations: nothing to take back.')
    return 0
  }
  console.log(`Took ${reverted.name} back by ${reverted.down.name}; it is pending again.`)
  for (const note of reverted.notes) console.log(note)
  const { version } = reverted
  console.log(`Sync definition: ${version === null ? 'unchanged' : `version ${version}, now in force`}.`)
  return 0
}
