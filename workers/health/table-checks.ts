import { type CatalogueTable, readCatalogue } from '../../db/definition/catalogue.ts'
import type { DeclaredTable, DeclaredWatch } from '../../db/definition/declared-table.ts'
import { tableFaults, watchFaults } from '../../db/definition/table-faults.ts'
import type { Query } from '../../db/query.ts'
import { quoteTable, tableId } from '../../protocol/index.ts'
import type { HealthCheck } from '../contracts.ts'
import { failCheck, okCheck, warnCheck } from './health-check.ts'

/**
 * Above this size REPLICA IDENTITY FULL is costly: each update, however small, writes the whole old row into the log.
 */
const DEAR_ROW_BYTES = 8 * 1024
/** Below this a table's size reveals little about its rows, because it is counted in pages. */
const SMALL_TABLE_BYTES = 1024 * 1024

function tableShapeCheck(declared: DeclaredTable, table: CatalogueTable | undefined): HealthCheck {
  const name = `table ${tableId(declared)}`
  const faults = tableFaults(declared, table)
  return faults.length === 0
    ? okCheck(name)
    : failCheck(name, faults.map((fault) => `Table ${tableId(declared)} ${fault}.`).join(' '))
}

export function replicaIdentityCheck(table: Pick<CatalogueTable, 'schema' | 'name' | 'identityFull'>): HealthCheck {
  const name = `replica-identity ${tableId(table)}`
  if (table.identityFull) return okCheck(name)
  return failCheck(
    name,
    `Updates and deletes of ${tableId(table)} reach the log without the old row: ALTER TABLE ${quoteTable(table)} REPLICA IDENTITY FULL (of a partitioned table: on each partition), or run \`tidemark migrate\`.`,
  )
}

export function rowSizeCheck(table: { schema: string; name: string }, averageRowBytes: number): HealthCheck {
  const name = `row-size ${tableId(table)}`
  const figures = { value: averageRowBytes, threshold: DEAR_ROW_BYTES, unit: 'bytes' }
  if (averageRowBytes <= DEAR_ROW_BYTES) return okCheck(name, figures)
  return warnCheck(
    name,
    `Rows of ${tableId(table)} are large, and each update writes the whole old row into the log: move large columns that seldom change to a table of their own.`,
    figures,
  )
}

export function partitionOwnerCheck(table: { schema: string; name: string }, owner: string | null): HealthCheck {
  const name = `partition-owner ${tableId(table)}`
  if (owner === null) return okCheck(name)
  return warnCheck(
    name,
    `${tableId(table)} is partitioned and belongs to ${owner}, of which this role is no member: capture could not give a new partition REPLICA IDENTITY FULL and would halt. GRANT ${owner} TO this role, or set the identity in the transaction that makes a partition.`,
  )
}

const OWNERS = `
  SELECT n.nspname::text AS schema, c.relname::text AS name,
    CASE WHEN NOT pg_has_role(c.relowner, 'USAGE') THEN quote_ident(pg_get_userbyid(c.relowner)) END AS owner
  FROM json_to_recordset($1::json) AS wanted(schema text, name text)
  JOIN pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind = 'p'`

const ROW_SIZES = `
  SELECT wanted.schema, wanted.name,
    (sum(pg_table_size(l.oid)) / nullif(sum(greatest(l.reltuples, 0)), 0))::bigint::text AS average
  FROM json_to_recordset($1::json) AS wanted(schema text, name text)
  JOIN pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
  CROSS JOIN LATERAL (
    SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf UNION SELECT c.oid WHERE c.relkind = 'r'
  ) leaf
  JOIN pg_class l ON l.oid = leaf.relid
  GROUP BY 1, 2 HAVING sum(pg_table_size(l.oid)) > ${SMALL_TABLE_BYTES}`

/**
 * Checks shape, identity and row size of every declared table, and its owner where capture must follow its partitions.
 */
export async function checkTables(query: Query, declared: readonly DeclaredTable[]): Promise<HealthCheck[]> {
  const catalogue = await readCatalogue(query, declared)
  const names = JSON.stringify(declared.map(({ schema, name }) => ({ schema, name })))
  const sizes = await query(ROW_SIZES, [names])
  const owners = await query(OWNERS, [names])
  return declared.flatMap((one) => {
    const isIt = (other: { schema?: string | null; name?: string | null }) =>
      other.schema === one.schema && other.name === one.name
    const table = catalogue.find(isIt)
    const checks = [tableShapeCheck(one, table)]
    if (table === undefined || (table.kind !== 'r' && table.kind !== 'p')) return checks
    checks.push(replicaIdentityCheck(table))
    const owner = owners.find(isIt)
    if (owner) checks.push(partitionOwnerCheck(one, owner.owner ?? null))
    const average = sizes.find(isIt)?.average
    if (average != null) checks.push(rowSizeCheck(one, Number(average)))
    return checks
  })
}

/** Reports what keeps tables from being watched. */
export async function checkWatched(query: Query, watched: readonly DeclaredWatch[]): Promise<HealthCheck[]> {
  const catalogue = await readCatalogue(query, watched)
  return watched.map((one) => {
    const table = catalogue.find((other) => other.schema === one.schema && other.name === one.name)
    const faults = watchFaults(one, table).map((fault) => `Watched table ${tableId(one)} ${fault}.`)
    const name = `watched ${tableId(one)}`
    return faults.length === 0 ? okCheck(name) : failCheck(name, faults.join(' '))
  })
}
