import { basename } from 'node:path'
import type { Sync } from '../../db/define-sync.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import type { Database } from '../../workers/database/index.ts'
import type { AppFolder } from '../app/app-folder.ts'
import { seedApp } from '../app/seed-app.ts'
import { type DatabaseAccess, openForMigration } from '../database.ts'
import { applyMigrations } from '../migrations/apply-migrations.ts'
import { findPending } from '../migrations/find-pending.ts'
import { holdsStatement } from '../migrations/migration-file.ts'
import { reportMigrations } from '../migrations/report-migrations.ts'
import type { Cleanup } from './cleanup.ts'

/** Throws `misconfigured` for a database that cannot be captured, `unavailable` for one that cannot be opened. */
export async function requireLogicalDecoding(access: DatabaseAccess, cleanup: Cleanup): Promise<void> {
  await withMigrationAccess(access, cleanup, async (database) => {
    const [setting] = await database.query('SHOW wal_level')
    if (setting?.wal_level === 'logical') return
    throw new TidemarkError(
      'misconfigured',
      `wal_level of ${access.shown} is ${setting?.wal_level}. Set it to logical (on Neon: Settings, Logical Replication; ` +
        'elsewhere: ALTER SYSTEM SET wal_level = logical) and restart Postgres.',
    )
  })
}

/**
 * Migrates, puts the definition in force and seeds, printing each step. Throws faults that the app must mend; where
 * somebody is `atWork`, also for a last migration that says nothing yet.
 */
export async function prepareDatabase(
  access: DatabaseAccess,
  app: AppFolder,
  sync: Sync,
  cleanup: Cleanup,
  atWork: boolean,
): Promise<void> {
  await withMigrationAccess(access, cleanup, async (database) => {
    if (atWork) await refuseUnwritten(database, app.migrations)
    reportMigrations(await applyMigrations(database, app.migrations, sync))
    if (app.seed === null) return
    const outcome = await seedApp(database, app.seed)
    if (outcome === 'seeded') console.log(`Seeded from ${basename(app.seed)}.`)
    if (outcome === 'tables hold rows') console.log(`${basename(app.seed)} was not run: the synced tables hold rows.`)
  })
}

/** Run now, a file that was just made could not be written any more. */
async function refuseUnwritten({ query }: Database, migrations: string): Promise<void> {
  const last = (await findPending(query, migrations)).app.at(-1)
  if (last === undefined || holdsStatement(last)) return
  throw new TidemarkError(
    'bad-input',
    `Nothing was migrated: ${last.name} holds no statement yet. Write it, or remove the file.`,
  )
}

/** Runs with a connection that ends with the run of `dev` too. */
async function withMigrationAccess(
  access: DatabaseAccess,
  cleanup: Cleanup,
  run: (database: Database) => Promise<void>,
): Promise<void> {
  const database = await openForMigration(access)
  const ended = cleanup.add(() => database.close())
  try {
    await run(database)
  } finally {
    ended()
    await database.close()
  }
}
