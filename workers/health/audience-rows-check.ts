import type { Query } from '../../db/query.ts'
import { outputExpression, quoteIdentifier, quoteTable, type TableDefinition } from '../../protocol/index.ts'
import type { HealthCheck } from '../contracts.ts'
import { explainAppCode } from '../database/index.ts'
import { matchAudience } from '../snapshot/audience.ts'
import { audienceCondition } from '../snapshot/table-rows-sql.ts'
import { failCheck, okCheck, warnCheck } from './health-check.ts'

/** The rows of an audience, counted in all and as the client role sees them for that audience. */
export interface AudienceCount {
  readonly audience: string
  readonly rows: number
  readonly seen: number
}

const SAMPLED_ROWS = 1_000
const SAMPLED_AUDIENCES = 3

/** Compares the counts: a policy that hides rows of the audience itself makes snapshots and stream disagree. */
export function audienceRowsCheck(table: Pick<TableDefinition, 'id'>, counts: readonly AudienceCount[]): HealthCheck {
  const name = `client-rows ${table.id}`
  const short = counts.find((count) => count.seen !== count.rows)
  if (short === undefined) return okCheck(name, { value: counts.length, unit: 'audiences' })
  return failCheck(
    name,
    `For an audience of ${table.id} role tidemark_client sees ${short.seen} of ${short.rows} rows: add a policy FOR SELECT TO tidemark_client that admits every row of the audience, by tidemark.audience_values and without tidemark.user_id.`,
    { value: short.seen, threshold: short.rows, unit: 'rows' },
  )
}

/**
 * Counts some audiences' rows of each table as the connecting role and as `tidemark_client`, in one snapshot.
 *
 * `query` must be one connection outside a transaction; it is left so.
 */
export async function checkAudienceRows(query: Query, tables: readonly TableDefinition[]): Promise<HealthCheck[]> {
  const checks: HealthCheck[] = []
  for (const table of tables) {
    const phase = { asClient: false }
    await query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    try {
      checks.push(audienceRowsCheck(table, await countAudiences(query, table, phase)))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const why = phase.asClient ? explainAppCode(error) : null
      checks.push(
        why === null
          ? warnCheck(
              `client-rows ${table.id}`,
              `The rows of ${table.id} could not be counted (${reason}): see the other findings, and connect as a role that sees every row.`,
            )
          : failCheck(`client-rows ${table.id}`, `Role tidemark_client cannot read ${table.id}: ${why}.`),
      )
    } finally {
      await query('ROLLBACK')
    }
  }
  return checks
}

async function countAudiences(
  query: Query,
  table: TableDefinition,
  phase: { asClient: boolean },
): Promise<AudienceCount[]> {
  // An error is better than a count that a policy has cut for the connecting role too.
  await query('SET LOCAL row_security = off')
  const count = async (audience: string) => {
    const match = matchAudience(table.audience, audience)
    if (match === null) return 0
    const { text, params } = audienceCondition(table, match)
    const [row] = await query(`SELECT count(*)::text AS rows FROM ${quoteTable(table)} WHERE ${text}`, params)
    return Number(row?.rows)
  }
  const owned: { audience: string; rows: number }[] = []
  for (const audience of await sampleAudiences(query, table)) owned.push({ audience, rows: await count(audience) })
  await query('SET LOCAL row_security = on')
  // Counted as snapshots read: policies, and what they call, are the app's.
  await query('SET LOCAL search_path TO DEFAULT')
  await query('SET LOCAL ROLE tidemark_client')
  phase.asClient = true
  const counts: AudienceCount[] = []
  for (const { audience, rows } of owned) {
    await query(`SELECT set_config('tidemark.user_id', '', true), set_config('tidemark.audiences', $1, true)`, [
      JSON.stringify([audience]),
    ])
    counts.push({ audience, rows, seen: await count(audience) })
  }
  return counts
}

async function sampleAudiences(query: Query, { audience: rule, ...table }: TableDefinition): Promise<string[]> {
  if ('constant' in rule) return [rule.constant]
  const column = table.columns.find((candidate) => candidate.name === rule.column)
  if (!column) return []
  const name = quoteIdentifier(column.name)
  const rows = await query(
    `SELECT DISTINCT value FROM (
      SELECT ${outputExpression(column)} AS value FROM ${quoteTable(table)} WHERE ${name} IS NOT NULL LIMIT ${SAMPLED_ROWS}
    ) AS sampled LIMIT ${SAMPLED_AUDIENCES}`,
  )
  return rows.map((row) => `${rule.prefix}:${row.value}`)
}
