import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { readDefinitionInForce } from '../../db/definition/definition-in-force.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/errors.ts'
import { quoteTable } from '../../protocol/sql-identifier.ts'
import { type Database, databaseMessageOf } from '../../workers/database/index.ts'
import { loadSeed } from './load-module.ts'

export type SeedOutcome = 'seeded' | 'seeded before' | 'tables hold rows'

/** The seed is recorded beside the migrations, under a name no file can have. */
const RECORD = 'seed:app'

/**
 * Fills an empty database once: all of the seed and its record in one transaction.
 *
 * Rows that are already there are never mixed with a seed. Throws `bad-input` for a seed that fails.
 */
export async function seedApp(database: Database, path: string): Promise<SeedOutcome> {
  const run = path.endsWith('.sql') ? seedFromSql(path) : await loadSeed(path)
  return await database.transaction(async ({ query }) => {
    const [before] = await query('SELECT 1 AS found FROM tidemark.app_migration WHERE name = $1', [RECORD])
    if (before) return 'seeded before'
    if (await holdsRows(query)) return 'tables hold rows'
    await query('SET LOCAL search_path TO DEFAULT')
    try {
      await run(query)
    } catch (error) {
      const reason = databaseMessageOf(error) ?? (error instanceof Error ? error.message : String(error))
      throw new TidemarkError('bad-input', `${basename(path)} failed and left nothing behind: ${reason}`, {
        cause: error,
      })
    }
    await query('INSERT INTO tidemark.app_migration (name, hash) VALUES ($1, $2)', [RECORD, ''])
    return 'seeded'
  })
}

async function holdsRows(query: Query): Promise<boolean> {
  const inForce = await readDefinitionInForce(query)
  for (const table of inForce?.definition.tables ?? []) {
    const [row] = await query(`SELECT EXISTS (SELECT FROM ${quoteTable(table)})::text AS found`)
    if (row?.found === 'true') return true
  }
  return false
}

function seedFromSql(path: string): (query: Query) => Promise<void> {
  const text = readFileSync(path, 'utf8')
  return async (query) => {
    await query(text)
  }
}
