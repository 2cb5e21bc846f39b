import { OWN_SCHEMA, OWN_TABLES } from '../../db/definition/own-tables.ts'
import type { Query } from '../../db/query.ts'
import { type DefinitionInForce, quoteTable } from '../../protocol/index.ts'
import { PUBLICATION } from './pgoutput-source.ts'

type NamedTable = Parameters<typeof quoteTable>[0]

const READ = `
  SELECT p.puballtables::text AS all_tables,
    (p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot)::text AS whole,
    coalesce((
      SELECT json_agg(json_build_object('schema', n.nspname::text, 'name', c.relname::text))
      FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE r.prpubid = p.oid AND to_jsonb(r) ->> 'prqual' IS NULL AND to_jsonb(r) ->> 'prattrs' IS NULL
    ), '[]')::text AS tables
  FROM pg_publication p WHERE p.pubname = $1`

async function wantedTables(query: Query, { definition, watched = [] }: DefinitionInForce): Promise<string[]> {
  const own = OWN_TABLES.map(({ name }) => ({ schema: OWN_SCHEMA, name }))
  // A database that is yet to be migrated lacks some of our own tables.
  const present = await existing(query, [...own, ...watched])
  return [...new Set([...definition.tables, ...present].map(quoteTable))]
}

/** Names a fault of the publication under the latest definition, else null. pgoutput loses what is not published. */
export async function findPublicationFault(query: Query, definition: DefinitionInForce): Promise<string | null> {
  const wanted = await wantedTables(query, definition)
  const [row] = await query(READ, [PUBLICATION])
  if (row === undefined) return 'publication-missing'
  const published: { schema: string; name: string }[] = JSON.parse(row.tables ?? '[]')
  const names = new Set(published.map(quoteTable))
  const lacking = wanted.filter((name) => !names.has(name))
  if (row.all_tables === 'false' && row.whole === 'true' && lacking.length === 0) return null
  return lacking.length > 0 ? `publication-lacked ${lacking.length} tables` : 'publication-altered'
}

/** Makes the publication whole by the definition. A history that pgoutput reads must have ended before. */
export async function mendPublication(query: Query, definition: DefinitionInForce): Promise<void> {
  if ((await findPublicationFault(query, definition)) === null) return
  // It is dropped and made anew, because altering cannot narrow a publication for all tables.
  await query(`DROP PUBLICATION IF EXISTS ${PUBLICATION}`)
  await create(query, await wantedTables(query, definition))
}

async function create(query: Query, tables: readonly string[]): Promise<void> {
  const [server] = await query(`SELECT (current_setting('server_version_num')::int >= 180000)::text AS knows`)
  // Without it the server refuses updates of a table with full identity and a generated column that is not published.
  const generated = server?.knows === 'true' ? ', publish_generated_columns = stored' : ''
  await query(
    `CREATE PUBLICATION ${PUBLICATION} FOR TABLE ${tables.join(', ')} WITH (publish_via_partition_root = true${generated})`,
  )
}

/** Leaves out the tables that are gone: a watched one that is gone decides nobody's rights and stops nothing. */
async function existing(query: Query, tables: readonly NamedTable[]): Promise<readonly NamedTable[]> {
  const rows = await query(
    `SELECT t.place::text FROM json_to_recordset($1::json) AS t(place int, schema text, name text)
     WHERE to_regclass(format('%I.%I', t.schema, t.name)) IS NOT NULL`,
    [JSON.stringify(tables.map(({ schema, name }, place) => ({ place, schema, name })))],
  )
  const found = new Set(rows.map(({ place }) => Number(place)))
  return tables.filter((_, place) => found.has(place))
}
