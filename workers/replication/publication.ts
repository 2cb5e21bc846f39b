import type { Query } from '../../db/query.ts'
import { type DefinitionInForce, quoteTable, type WatchedTable } from '../../protocol/index.ts'
import { PUBLICATION } from './pgoutput-source.ts'

const READ = `
  SELECT p.puballtables::text AS all_tables,
    (p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot)::text AS whole,
    coalesce((
      SELECT json_agg(json_build_object('schema', n.nspname::text, 'name', c.relname::text))
      FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE r.prpubid = p.oid AND to_jsonb(r) ->> 'prqual' IS NULL AND to_jsonb(r) ->> 'prattrs' IS NULL
    ), '[]')::text AS tables
  FROM pg_publication p WHERE p.pubname = $1`

const DEFINITION_TABLE = { schema: 'tidemark', name: 'sync_definition' }

/**
 * Makes the publication name what the latest definition says, whole; answers what was wrong, or null.
 *
 * What was not published meanwhile is lost to pgoutput, so its history ends there.
 */
export async function mendPublication(
  query: Query,
  { definition, watched = [] }: DefinitionInForce,
): Promise<string | null> {
  const present = await existing(query, watched)
  const wanted = [...new Set([DEFINITION_TABLE, ...definition.tables, ...present].map(quoteTable))]
  const [row] = await query(READ, [PUBLICATION])
  if (row === undefined) {
    await create(query, wanted)
    return 'publication-missing'
  }
  const published: { schema: string; name: string }[] = JSON.parse(row.tables ?? '[]')
  const names = new Set(published.map(quoteTable))
  const lacking = wanted.filter((name) => !names.has(name))
  if (row.all_tables === 'false' && row.whole === 'true' && lacking.length === 0) return null
  // Dropped and made anew, not altered: one published for all tables cannot be narrowed.
  await query(`DROP PUBLICATION ${PUBLICATION}`)
  await create(query, wanted)
  return lacking.length > 0 ? `publication-lacked ${lacking.length} tables` : 'publication-altered'
}

async function create(query: Query, tables: readonly string[]): Promise<void> {
  await query(
    `CREATE PUBLICATION ${PUBLICATION} FOR TABLE ${tables.join(', ')} WITH (publish_via_partition_root = true)`,
  )
}

/** Of the watched tables, those that are still there: one that is gone decides nobody's rights and stops nothing. */
async function existing(query: Query, tables: readonly WatchedTable[]): Promise<readonly WatchedTable[]> {
  if (tables.length === 0) return []
  const rows = await query(
    `SELECT t.id FROM json_to_recordset($1::json) AS t(id text, schema text, name text)
     WHERE to_regclass(format('%I.%I', t.schema, t.name)) IS NOT NULL`,
    [JSON.stringify(tables)],
  )
  return tables.filter(({ id }) => rows.some((row) => row.id === id))
}
