import { readCatalogue } from '../../db/definition/catalogue.ts'
import type { DeclaredTable } from '../../db/definition/declared-table.ts'
import { findStray } from '../../db/definition/find-strays.ts'
import { parentsFirst } from '../../db/definition/keep-audiences.ts'
import type { KeptTable } from '../../db/definition/kept-audience-sql.ts'
import { isKept, planKept, readKeptFacts } from '../../db/definition/kept-facts.ts'
import type { Query } from '../../db/query.ts'
import { KEPT_AUDIENCE, quoteIdentifier, quoteTable, tableId } from '../../protocol/index.ts'
import type { HealthCheck } from '../contracts.ts'
import { failCheck, okCheck, warnCheck } from './health-check.ts'

/** From so many rows on, an audience for each of them is dear. */
const MANY_ROWS = 10_000

/** Compares the rows of every table that keeps its audience with what it should be, parents first. */
export async function checkKeptAudiences(query: Query, declared: readonly DeclaredTable[]): Promise<HealthCheck[]> {
  const checks: HealthCheck[] = []
  for (const one of parentsFirst(declared)) {
    const facts = await readKeptFacts(query, one)
    const table = planKept(one, facts)
    if (table === null) continue
    const name = `kept-audience ${tableId(one)}`
    if ('fault' in table) checks.push(failCheck(name, `Table ${tableId(one)} ${table.fault}.`))
    else if (!isKept(table, facts))
      checks.push(
        failCheck(
          name,
          `The audience of rows of ${tableId(one)} is not kept as declared, because a trigger, its foreign key, an index or column ${KEPT_AUDIENCE} is another, disabled or gone: run \`tidemark migrate\`.`,
        ),
      )
    else checks.push(strayCheck(table, await findStray(query, table)))
  }
  return checks
}

/** Judges a table by the place of a row whose audience is not what it should be; null for none. */
function strayCheck(table: KeptTable, place: string | null): HealthCheck {
  const id = tableId(table)
  const name = `kept-audience ${id}`
  if (place === null) return okCheck(name)
  return failCheck(
    name,
    `A row of ${id} (ctid ${place}) is seen by others than it should be, as its audience was written while nothing kept it: ` +
      `COMMENT ON COLUMN ${quoteTable(table)}.${quoteIdentifier(KEPT_AUDIENCE)} IS NULL, then run \`tidemark migrate\`, which fills every row anew.`,
  )
}

/** Warns of tables of many rows of which each has an audience of its own. */
export async function checkAudienceColumns(query: Query, declared: readonly DeclaredTable[]): Promise<HealthCheck[]> {
  const catalogue = await readCatalogue(query, declared)
  const sizes = await query(
    `SELECT wanted.schema, wanted.name, c.reltuples::bigint::text AS rows FROM json_to_recordset($1::json) AS wanted(schema text, name text)
     JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', wanted.schema, wanted.name))`,
    [JSON.stringify(declared.map(({ schema, name }) => ({ schema, name })))],
  )
  return declared.flatMap(({ schema, name, audience, kept }) => {
    const isIt = (other: { schema?: string | null; name?: string | null }) =>
      other.schema === schema && other.name === name
    const table = catalogue.find(isIt)
    const column = kept?.column ?? ('column' in audience ? audience.column : null)
    const rows = Number(sizes.find(isIt)?.rows ?? 0)
    const keys = [table?.primaryKey ?? [], ...(table?.uniques ?? []).map(({ columns }) => columns)]
    if (rows < MANY_ROWS || !keys.some((key) => key.length === 1 && key[0] === column)) return []
    return [
      warnCheck(
        `audience-per-row ${tableId({ schema, name })}`,
        `Each row of ${tableId({ schema, name })} has an audience of its own, as ${column} is unique, and each audience costs a subscription and a snapshot: take a column that rows have in common which are seen together, or the audience of a parent (via).`,
        { value: rows, threshold: MANY_ROWS, unit: 'rows' },
      ),
    ]
  })
}
