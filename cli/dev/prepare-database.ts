import { basename } from 'node:path'
import type { Sync } from '../../db/define-sync.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import type { AppFolder } from '../app/app-folder.ts'
import { seedApp } from '../app/seed-app.ts'
import { type DatabaseAccess, openForMigration } from '../database.ts'
import { applyMigrations } from '../migrations/apply-migrations.ts'
import { reportMigrations } from '../migrations/report-migrations.ts'
import type { Cleanup } from './cleanup.ts'

/** Migrates, puts the definition in force and seeds, saying what it did. Throws `misconfigured` or `bad-input`. */
export async function prepareDatabase(
  access: DatabaseAccess,
  app: AppFolder,
  sync: Sync,
  cleanup: Cleanup,
): Promise<void> {
  const database = await openForMigration(access)
  cleanup.add(() => database.close())
  const [setting] = await database.query('SHOW wal_level')
  if (setting?.wal_level !== 'logical') {
    throw new TidemarkError(
      'misconfigured',
      `wal_level of ${access.shown} is ${setting?.wal_level}. Set it to logical (on Neon: Settings, Logical Replication; ` +
        'elsewhere: ALTER SYSTEM SET wal_level = logical) and restart Postgres.',
    )
  }
  reportMigrations(await applyMigrations(database, app.migrations, sync))
  if (app.seed !== null) {
    const outcome = await seedApp(database, app.seed)
    if (outcome === 'seeded') console.log(`Seeded from ${basename(app.seed)}.`)
    if (outcome === 'tables hold rows') console.log(`${basename(app.seed)} was not run: the synced tables hold rows.`)
  }
  await database.close()
}
