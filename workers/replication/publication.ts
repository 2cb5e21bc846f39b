import type { Query } from '../../db/query.ts'
import { type Definition, quoteTable } from '../../protocol/index.ts'
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

const wantedTables = (definition: Definition): string[] => [DEFINITION_TABLE, ...definition.tables].map(quoteTable)

/** What the publication lacks of the latest definition; null when it is whole. What is not published is lost to pgoutput. */
export async function findPublicationFault(query: Query, definition: Definition): Promise<string | null> {
  const wanted = wantedTables(definition)
  const [row] = await query(READ, [PUBLICATION])
  if (row === undefined) return 'publication-missing'
  const published: { schema: string; name: string }[] = JSON.parse(row.tables ?? '[]')
  const names = new Set(published.map(quoteTable))
  const lacking = wanted.filter((name) => !names.has(name))
  if (row.all_tables === 'false' && row.whole === 'true' && lacking.length === 0) return null
  return lacking.length > 0 ? `publication-lacked ${lacking.length} tables` : 'publication-altered'
}

/** Makes the publication name what the definition says, whole. A history that pgoutput reads must have ended before. */
export async function mendPublication(query: Query, definition: Definition): Promise<void> {
  if ((await findPublicationFault(query, definition)) === null) return
  // Dropped and made anew, not altered: one published for all tables cannot be narrowed.
  await query(`DROP PUBLICATION IF EXISTS ${PUBLICATION}`)
  await create(query, wantedTables(definition))
}

async function create(query: Query, tables: readonly string[]): Promise<void> {
  await query(
    `CREATE PUBLICATION ${PUBLICATION} FOR TABLE ${tables.join(', ')} WITH (publish_via_partition_root = true)`,
  )
}
