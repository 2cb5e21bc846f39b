import { type Bundles, NO_BUNDLES } from '../../protocol/index.ts'
import type { Query } from '../query.ts'

/** A migration of the app that a transaction has run and put on record. */
export interface RanMigration {
  readonly name: string
  /** The file's own word; null: it follows from what the migration changes. */
  readonly compatibility: 'additive' | 'breaking' | null
}

/** Holds for rows of `tidemark.app_migration` that are the app's: our own files and seeds are on record too. */
export const IS_OF_APP = `name ~ '[.](sql|[cm]?[jt]s)$' AND name NOT LIKE 'tidemark:%'`
const BUNDLES = `
  SELECT max(name COLLATE "C") AS latest, max(name COLLATE "C") FILTER (WHERE breaking) AS oldest
  FROM tidemark.app_migration WHERE ${IS_OF_APP}`

/** Puts on record whether a migration broke with the pages before it, and answers which pages are served from now on. */
export async function recordBundles(query: Query, ran: RanMigration | null, breaks: boolean): Promise<Bundles> {
  if (ran !== null && (ran.compatibility ?? (breaks ? 'breaking' : 'additive')) === 'breaking')
    await query('UPDATE tidemark.app_migration SET breaking = true WHERE name = $1', [ran.name])
  const [row] = await query(BUNDLES)
  return { ...NO_BUNDLES, latest: row?.latest ?? null, oldest: row?.oldest ?? null }
}
