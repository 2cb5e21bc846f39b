import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'

/** The folder that `tidemark dev` keeps in an app's. */
export const DATA_FOLDER = '.tidemark'

/** Answers the URL of the database that the last start served; null where none did. Rule CLI-R37. */
export function servedDatabaseUrl(dataFolder: string): string | null {
  const path = join(dataFolder, 'worker.env')
  if (!existsSync(path)) return null
  return parseEnv(readFileSync(path, 'utf8')).DATABASE_URL ?? null
}

/** Answers the given URL, else that of the database which `tidemark dev` served last from an app's folder, and says so. */
export function orServed(given: string | undefined, app: string): string | undefined {
  if (given !== undefined) return given
  const served = servedDatabaseUrl(join(resolve(app), DATA_FOLDER))
  if (served === null) return undefined
  console.error('On the database of tidemark dev; --database-url or DATABASE_URL names another.')
  return served
}
