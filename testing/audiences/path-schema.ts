import { readFileSync } from 'node:fs'

export const PATH_MIGRATIONS = new URL('./migrations/', import.meta.url)

/** The statements of the app's one migration. */
export const PATH_SCHEMA = readFileSync(new URL('0001_path.sql', PATH_MIGRATIONS).pathname, 'utf8')
