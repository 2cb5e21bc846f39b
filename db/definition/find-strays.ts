import { KEPT_AUDIENCE, quoteIdentifier, quoteTable, type TableDefinition } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { declaredAgain } from './declared-table.ts'
import { expectedAudience, type KeptTable } from './kept-audience-sql.ts'
import { planKept, readKeptFacts } from './kept-facts.ts'

/** The rows that are compared of one table in passing. */
const SAMPLED_ROWS = 10_000

/** Returns the place of a row whose audience is not what it should be, among some of a table's rows or among all. */
export async function findStray(query: Query, table: KeptTable, sample = ''): Promise<string | null> {
  const column = `kept.${quoteIdentifier(KEPT_AUDIENCE)}`
  const [row] = await query(
    `SELECT kept.ctid::text AS place FROM ${quoteTable(table)} AS kept ${sample}
     WHERE ${column} IS DISTINCT FROM ${expectedAudience(table, 'kept')} LIMIT 1`,
  )
  return row?.place ?? null
}

/** Compares a sample of the rows of each table that keeps its audience; answers the ids of those with a stray one. */
export async function sampleStrays(query: Query, tables: readonly TableDefinition[]): Promise<string[]> {
  const strays: string[] = []
  for (const table of tables.filter(({ kept }) => kept !== undefined)) {
    const declared = declaredAgain(table, [])
    const planned = planKept(declared, await readKeptFacts(query, declared))
    if (planned === null || 'fault' in planned) continue
    const [size] = await query('SELECT greatest(reltuples, 0)::text AS rows FROM pg_class WHERE oid = $1::oid', [
      planned.oid,
    ])
    const share = Math.min(100, (100 * SAMPLED_ROWS) / Math.max(1, Number(size?.rows ?? 0)))
    if ((await findStray(query, planned, `TABLESAMPLE SYSTEM (${share})`)) !== null) strays.push(table.id)
  }
  return strays
}
