import { quoteTable } from '../../protocol/index.ts'
import type { Query } from '../query.ts'

/** Below Postgres' usual `deadlock_timeout` of 1 s, so that we give way and never a transaction of the app. */
const LOCK_WAIT = '900ms'

const JOINING = `
  SELECT n.nspname::text AS schema, c.relname::text AS name, current_setting('lock_timeout') AS before,
    CASE WHEN EXISTS (
      SELECT FROM (SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf UNION SELECT c.oid WHERE c.relkind = 'r') AS leaf
      JOIN pg_class l ON l.oid = leaf.relid WHERE l.relreplident <> 'f'
    ) THEN 'ACCESS EXCLUSIVE' ELSE 'SHARE ROW EXCLUSIVE' END AS mode
  FROM json_to_recordset($1::json) AS wanted(schema text, name text)
  JOIN pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p')
  WHERE NOT EXISTS (
    SELECT FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
    WHERE p.pubname = 'tidemark' AND r.prrelid = c.oid)
  -- Published already, but by another hand: its writers may be older than that.
  OR NOT EXISTS (
    SELECT FROM (SELECT definition FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1) AS latest
    WHERE jsonb_path_exists(latest.definition, '$.*[*] ? (@.schema == $schema && @.name == $name)', to_jsonb(wanted)))
  ORDER BY mode, 1, 2`

/**
 * Locks the tables that are about to join the publication, with their leaves, against all writers; to the end of the
 * transaction.
 *
 * The log decides on a change by the publication as of that change, a snapshot by what is committed: what a transaction
 * wrote before its table joined and commits after the snapshot is in neither. Tables whose identity changes too get the
 * stronger lock at once, because raising a lock later is how deadlocks come about. Raises 55P03 where a lock cannot be
 * had soon: begin the transaction anew, so that nobody queues behind it.
 */
export async function lockJoining(query: Query, tables: readonly { schema: string; name: string }[]): Promise<void> {
  const joining = await query(JOINING, [JSON.stringify(tables)])
  if (joining.length === 0) return
  await query(`SET LOCAL lock_timeout = '${LOCK_WAIT}'`)
  const locks = joining.map(
    ({ schema, name, mode }) => `LOCK TABLE ${quoteTable({ schema: schema ?? '', name: name ?? '' })} IN ${mode} MODE`,
  )
  // At once: those who write the first of them wait for each way to the server and back.
  await query(locks.join(';\n'))
  await query(`SELECT set_config('lock_timeout', $1, true)`, [joining[0]?.before ?? '0'])
}
