import { quoteIdentifier, quoteTable, type TableDefinition } from '../../protocol/index.ts'
import type { Query } from '../query.ts'

/** A column that is about to travel, and was there before. */
export interface ColumnToShow {
  readonly table: Pick<TableDefinition, 'schema' | 'name'>
  readonly column: string
  /** The text of the value that rows older than the column have in it; null for NULL. */
  readonly value: string | null
}

/** Reading this much takes less than writers notice, who wait meanwhile. */
const MOST_BYTES = 64 * 1024 * 1024
const LOCK_WAIT = '900ms'

const MAY_READ = `
  SELECT (NOT row_security_active(c.oid) AND (
    SELECT coalesce(sum(pg_relation_size(leaf.relid)), 0) <= ${MOST_BYTES}
    FROM (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf UNION SELECT c.oid WHERE c.relkind = 'r') AS leaf))::text AS may,
    current_setting('lock_timeout') AS before
  FROM pg_class c WHERE c.oid = to_regclass($1)`

const IS_HELD = `
  SELECT EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND relation = to_regclass($1) AND mode = 'ShareLock' AND granted)::text AS held`

/**
 * Tells whether no row of the table has any other value in the column than it got when that was added. Writers are kept
 * out to the end of the transaction, so that it stays so; false where that takes too long, or the table is large.
 */
export async function isUnused(query: Query, { table, column, value }: ColumnToShow): Promise<boolean> {
  const name = quoteTable(table)
  const [asked] = await query(MAY_READ, [name])
  if (asked?.may !== 'true') return false
  await query(`SELECT set_config('lock_timeout', $1, true)`, [LOCK_WAIT])
  // Undone alone where somebody writes for long.
  await query(
    `DO $tidemark$ BEGIN LOCK TABLE ${name} IN SHARE MODE; EXCEPTION WHEN lock_not_available THEN NULL; END $tidemark$`,
  )
  await query(`SELECT set_config('lock_timeout', $1, true)`, [asked.before ?? '0'])
  const [lock] = await query(IS_HELD, [name])
  if (lock?.held !== 'true') return false
  const [used] = await query(
    `SELECT EXISTS (SELECT FROM ${name} WHERE ${quoteIdentifier(column)}::text IS DISTINCT FROM $1)::text AS used`,
    [value],
  )
  return used?.used === 'false'
}
