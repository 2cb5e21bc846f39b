import { z } from 'zod'
import { readCatalogue } from '../../db/definition/catalogue.ts'
import type { Query } from '../../db/query.ts'
import { quoteTable, tableId } from '../../protocol/index.ts'
import { readSizes } from '../migrations/table-sizes.ts'
import type { ExistingDatabase, ExistingTable } from './existing-table.ts'

const factsSchema = z.object({
  schema: z.string(),
  name: z.string(),
  kind: z.string(),
  partitions: z.number(),
  columns: z.array(z.string()),
  identities: z.record(z.string(), z.string()),
  spread: z.record(z.string(), z.object({ distinct: z.number(), largest: z.number() })),
  rowSecurity: z.boolean(),
  policies: z.array(z.object({ name: z.string(), roles: z.array(z.string()), command: z.string() })),
  grantees: z.array(z.string()),
  owned: z.boolean(),
})

/** Statistics of a partitioned table are its own rows of pg_stats, or else those of a partition. */
const FACTS = `
  SELECT json_build_object(
    'schema', n.nspname::text, 'name', c.relname::text, 'kind', c.relkind::text,
    'partitions', (SELECT count(*) FROM pg_partition_tree(c.oid) leaf WHERE leaf.isleaf AND leaf.relid <> c.oid),
    'columns', (SELECT coalesce(json_agg(a.attname::text), '[]') FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'identities', (SELECT coalesce(json_object_agg(a.attname::text, a.attidentity::text), '{}') FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attidentity <> ''),
    'spread', (SELECT coalesce(json_object_agg(s.attname::text, json_build_object(
        'distinct', s.n_distinct, 'largest', coalesce((SELECT max(f) FROM unnest(s.most_common_freqs) f), 0))), '{}')
      FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.inherited = (c.relkind = 'p')),
    'rowSecurity', c.relrowsecurity,
    'policies', (SELECT coalesce(json_agg(json_build_object('name', p.policyname, 'roles', p.roles, 'command', p.cmd)
        ORDER BY p.policyname), '[]')
      FROM pg_policies p WHERE p.schemaname = n.nspname AND p.tablename = c.relname),
    'grantees', (SELECT coalesce(json_agg(DISTINCT r.rolname::text), '[]')
      FROM aclexplode(c.relacl) g JOIN pg_roles r ON r.oid = g.grantee
      WHERE g.grantee <> c.relowner AND r.rolname <> 'tidemark_client' AND NOT r.rolbypassrls AND NOT r.rolsuper),
    'owned', pg_has_role(c.relowner, 'USAGE')
  )::text AS facts
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tidemark') AND n.nspname NOT LIKE 'pg\\_%'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY n.nspname, c.relname`

/** Reads every table that an app may have, and changes nothing. Must run under `PINNED_SETTINGS`. */
export async function readDatabase(query: Query): Promise<ExistingDatabase> {
  const rows = await query(FACTS)
  const all = rows.map((row) => factsSchema.parse(JSON.parse(row.facts ?? 'null')))
  const plain = all.filter(({ kind }) => kind === 'r' || kind === 'p')
  const records = plain.filter(isRecordOfTool)
  const wanted = plain.filter((one) => !records.includes(one))
  const catalogue = await readCatalogue(query, wanted)
  const sizes = await readSizes(query, wanted.map(quoteTable))
  const tables = wanted.flatMap(({ schema, name, kind: _, columns: __, ...facts }): ExistingTable[] => {
    const table = catalogue.find((one) => one.schema === schema && one.name === name)
    const { rows: count, bytes } = sizes.get(quoteTable({ schema, name })) ?? { rows: 0, bytes: 0 }
    return table ? [{ catalogue: table, rows: count, bytes, ...facts }] : []
  })
  const [server] = await query(
    `SELECT current_setting('server_version') AS version, current_setting('wal_level') AS level`,
  )
  return {
    tables,
    records: records.map(tableId),
    views: all.filter((one) => !plain.includes(one)).map(tableId),
    server: { version: server?.version ?? '', walLevel: server?.level ?? '' },
  }
}

/** The tables of these names, each of which is some tool's. */
// biome-ignore format: one list
const RECORDS = new Set([
  '__drizzle_migrations', 'typeorm_metadata', '_prisma_migrations', 'schema_migrations', 'ar_internal_metadata', 'flyway_schema_history',
  'databasechangelog', 'databasechangeloglock', 'knex_migrations', 'knex_migrations_lock', 'sequelizemeta', 'alembic_version',
  'django_migrations', 'goose_db_version', 'pgmigrations', 'kysely_migration', 'kysely_migration_lock', 'mikro_orm_migrations', 'atlas_schema_revisions',
])

/** TypeORM and Laravel both write a table `migrations`, which an app may have as well: its columns tell. */
function isRecordOfTool({ name, columns }: { name: string; columns: readonly string[] }): boolean {
  const sorted = [...columns].sort().join()
  if (name === 'migrations') return sorted === 'id,name,timestamp' || sorted === 'batch,id,migration'
  return RECORDS.has(name.toLowerCase())
}
