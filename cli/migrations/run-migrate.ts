import type { Invocation } from '../command.ts'
import { applyMigrations } from './apply-migrations.ts'
import { startReplicaTrial } from './replica-trial.ts'
import { reportMigrations, reportTried } from './report-migrations.ts'
import { tryMigrations } from './try-migrations.ts'
import { withAppDatabase } from './with-app-database.ts'

/** Applies everything pending, or tries it, and prints what that did. */
export async function runMigrate(invocation: Invocation): Promise<number> {
  await withAppDatabase(invocation, async ({ app, sync, database, shown }) => {
    if (invocation.switches.has('dry-run')) {
      console.log(`Trying on ${shown}, in one transaction that is rolled back.`)
      console.log('Locks are waited for 3 s at a time, and held until the last file was tried.')
      reportTried(await tryMigrations(database, app.migrations, sync, startReplicaTrial))
    } else {
      console.log(`Migrating ${shown}`)
      reportMigrations(await applyMigrations(database, app.migrations, sync, startReplicaTrial))
    }
  })
  return 0
}
