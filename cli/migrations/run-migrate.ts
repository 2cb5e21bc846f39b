import { findApp } from '../app/app-folder.ts'
import { loadSync } from '../app/load-module.ts'
import type { Invocation } from '../command.ts'
import { accessDatabase, openForMigration, requireDatabaseUrl } from '../database.ts'
import { applyMigrations } from './apply-migrations.ts'
import { startReplicaTrial } from './replica-trial.ts'
import { reportMigrations } from './report-migrations.ts'

/** Applies everything pending and prints what it did. */
export async function runMigrate({ argument, values }: Invocation): Promise<number> {
  const databaseUrl = requireDatabaseUrl(values['database-url'])
  const app = findApp(argument ?? '.')
  const sync = await loadSync(app.syncModule)
  const access = await accessDatabase(databaseUrl)
  try {
    const database = await openForMigration(access)
    try {
      console.log(`Migrating ${access.shown}`)
      reportMigrations(await applyMigrations(database, app.migrations, sync, startReplicaTrial))
    } finally {
      await database.close()
    }
  } finally {
    await access.close()
  }
  return 0
}
