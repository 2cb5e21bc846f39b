import type { Sync } from '../../db/define-sync.ts'
import type { Database } from '../../workers/database/index.ts'
import { type AppFolder, findApp } from '../app/app-folder.ts'
import { loadSync } from '../app/load-module.ts'
import type { Invocation } from '../command.ts'
import { accessDatabase, openForMigration, requireDatabaseUrl } from '../database.ts'

export interface AppDatabase {
  readonly app: AppFolder
  readonly sync: Sync
  readonly database: Database
  /** Address of the database, without its password. */
  readonly shown: string
}

/** Lends the app of a call and its database, as owner of the tables. Throws what either lacks. */
export async function withAppDatabase<Result>(
  { argument, values }: Invocation,
  use: (lent: AppDatabase) => Promise<Result>,
): Promise<Result> {
  const databaseUrl = requireDatabaseUrl(values['database-url'])
  const app = findApp(argument ?? '.')
  const sync = await loadSync(app.syncModule)
  const access = await accessDatabase(databaseUrl)
  try {
    const database = await openForMigration(access)
    try {
      return await use({ app, sync, database, shown: access.shown })
    } finally {
      await database.close()
    }
  } finally {
    await access.close()
  }
}
