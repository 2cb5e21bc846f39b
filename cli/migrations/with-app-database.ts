import type { Sync } from '../../db/define-sync.ts'
import type { Database } from '../../workers/database/index.ts'
import { type AppFolder, findApp } from '../app/app-folder.ts'
import { loadSync } from '../app/load-module.ts'
import { orServed } from '../app/served-database.ts'
import type { Invocation } from '../command.ts'
import { accessDatabase, openForMigration, requireDatabaseUrl } from '../database.ts'

export interface AppDatabase {
  readonly app: AppFolder
  readonly sync: Sync
  readonly database: Database
  /** Address of the database, without its password. */
  readonly shown: string
  /** Opens another connection, which is the caller's to close. */
  readonly openAnother: () => Promise<Database>
}

/** Lends the app of a call and its database, as owner of the tables. Throws what either lacks. */
export async function withAppDatabase<Result>(
  { argument, values }: Invocation,
  use: (lent: AppDatabase) => Promise<Result>,
): Promise<Result> {
  const databaseUrl = requireDatabaseUrl(orServed(values['database-url'], argument ?? '.'))
  const app = findApp(argument ?? '.')
  const sync = await loadSync(app.syncModule)
  return await withMigrationDatabase(databaseUrl, (lent) => use({ app, sync, ...lent }))
}

/** Lends a database, as owner of the tables. Throws `bad-input` without an address, and what the database lacks. */
export async function withMigrationDatabase<Result>(
  databaseUrl: string | undefined,
  use: (lent: Pick<AppDatabase, 'database' | 'shown' | 'openAnother'>) => Promise<Result>,
): Promise<Result> {
  const access = await accessDatabase(requireDatabaseUrl(databaseUrl))
  try {
    const database = await openForMigration(access)
    try {
      return await use({ database, shown: access.shown, openAnother: () => openForMigration(access) })
    } finally {
      await database.close()
    }
  } finally {
    await access.close()
  }
}
