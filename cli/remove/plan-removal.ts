import { z } from 'zod'
import { KEPT_KEY, KEPT_TRIGGER } from '../../db/definition/kept-audience-sql.ts'
import type { Query } from '../../db/query.ts'
import { KEPT_AUDIENCE, quoteIdentifier, quoteLiteral, TidemarkError } from '../../protocol/index.ts'

/** Everything that is taken out, as statements. */
export interface Removal {
  /** The slots; they go first, because no transaction brings them back. */
  readonly slots: readonly string[]
  readonly statements: readonly string[]
  /** What stays and whom it concerns, one sentence each. */
  readonly stays: readonly string[]
}

const foundSchema = z.object({
  columns: z.array(z.object({ table: z.string(), oid: z.string(), hasKey: z.boolean(), isRead: z.boolean() })),
  triggers: z.array(z.object({ table: z.string(), name: z.string(), oid: z.string() })),
  indexes: z.array(z.object({ name: z.string(), oid: z.string() })),
  isThere: z.boolean(),
  published: z.boolean(),
  granted: z.array(z.string()),
  full: z.array(z.string()),
  policies: z.array(z.object({ name: z.string(), table: z.string(), roles: z.array(z.string()) })),
  strangers: z.array(z.string()),
})

/** The OID of the table whose audience is kept stands at the end of every name of ours. */
const OID_AT_END = `'(\\d+)(_later)?$'`

const FOUND = `SELECT json_build_object(
  'columns', coalesce((SELECT json_agg(json_build_object('table', format('%I.%I', n.nspname, c.relname), 'oid', c.oid::text,
      'hasKey', EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname = '${KEPT_KEY}'),
      'isRead', $1::jsonb @> jsonb_build_array(jsonb_build_object('schema', n.nspname, 'name', c.relname))) ORDER BY 1)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attname = '${KEPT_AUDIENCE}' AND NOT a.attisdropped
      AND (col_description(c.oid, a.attnum) LIKE 'Kept by Tidemark: %'
        OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = '${KEPT_TRIGGER}'))), '[]'),
  'triggers', coalesce((SELECT json_agg(json_build_object('table', format('%I.%I', n.nspname, c.relname), 'name', g.tgname,
      'oid', coalesce(substring(g.tgname FROM ${OID_AT_END}), c.oid::text)) ORDER BY 1)
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE g.tgname >= '${KEPT_TRIGGER}' AND g.tgname < '${KEPT_TRIGGER}~'), '[]'),
  'indexes', coalesce((SELECT json_agg(json_build_object('name', format('%I.%I', n.nspname, c.relname), 'oid', substring(c.relname FROM '\\d+$')) ORDER BY 1)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'i' AND c.relname ~ '^tidemark_(parent|audience)_of_\\d+$'), '[]'),
  'isThere', to_regnamespace('tidemark') IS NOT NULL,
  'published', EXISTS (SELECT FROM pg_publication WHERE pubname = 'tidemark'),
  'granted', coalesce((SELECT json_agg(DISTINCT format('%I.%I', n.nspname, c.relname))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('tidemark', 'pg_catalog', 'information_schema') AND (
      EXISTS (SELECT FROM aclexplode(c.relacl) x WHERE x.grantee = to_regrole('tidemark_client'))
      OR EXISTS (SELECT FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = c.oid AND x.grantee = to_regrole('tidemark_client')))), '[]'),
  'full', coalesce((SELECT json_agg(format('%I.%I', n.nspname, c.relname) ORDER BY 1)
    FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE p.pubname = 'tidemark' AND n.nspname <> 'tidemark' AND c.relreplident = 'f'), '[]'),
  'policies', coalesce((SELECT json_agg(DISTINCT jsonb_build_object('name', y.polname, 'table', y.polrelid::regclass::text,
      'roles', (SELECT coalesce(jsonb_agg(pg_get_userbyid(role)), '[]') FROM unnest(y.polroles) role)))
    FROM pg_policy y JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = y.oid AND d.refclassid = 'pg_proc'::regclass
    JOIN pg_proc f ON f.oid = d.refobjid WHERE f.pronamespace = to_regnamespace('tidemark')), '[]'),
  'strangers', coalesce((SELECT json_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid))
    FROM pg_depend d JOIN pg_proc f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
    WHERE f.pronamespace = to_regnamespace('tidemark') AND d.deptype = 'n' AND d.classid NOT IN ('pg_policy'::regclass, 'pg_trigger'::regclass)
      AND NOT (d.classid = 'pg_proc'::regclass AND (SELECT own.pronamespace FROM pg_proc own WHERE own.oid = d.objid) = f.pronamespace)), '[]')
  )::text AS found`

const CLIENT = 'tidemark_client'

/**
 * Finds everything that Tidemark put into a database, or with `unused` only the audience columns that the definition in
 * force does not read. Throws `bad-input` where something of the app's would be lost with it.
 */
export async function planRemoval(query: Query, unused: boolean): Promise<Removal> {
  const [there] = await query(`SELECT (to_regclass('tidemark.sync_definition') IS NOT NULL)::text AS there`)
  const read = there?.there === 'true' ? await tablesRead(query) : '[]'
  const [row] = await query(FOUND, [read])
  const found = foundSchema.parse(JSON.parse(row?.found ?? '{}'))
  const columns = found.columns.filter(({ isRead }) => !unused || !isRead)
  const goes = new Set(columns.map(({ oid }) => oid))
  // Leftovers of tables that are gone belong to none that stays.
  const known = new Set(found.columns.map(({ oid }) => oid))
  const isGoing = ({ oid }: { oid: string }) => goes.has(oid) || !known.has(oid)
  const kept = [
    ...columns.filter(({ hasKey }) => hasKey).map(({ table }) => `ALTER TABLE ${table} DROP CONSTRAINT ${KEPT_KEY}`),
    ...found.triggers.filter(isGoing).map(({ table, name }) => `DROP TRIGGER ${quoteIdentifier(name)} ON ${table}`),
    ...found.indexes.filter(isGoing).map(({ name }) => `DROP INDEX IF EXISTS ${name}`),
    ...columns.map(({ table }) => `ALTER TABLE ${table} DROP COLUMN ${KEPT_AUDIENCE}`),
    ...columns.flatMap(({ oid }) =>
      ['keep', 'carry'].map((verb) => `DROP FUNCTION IF EXISTS tidemark.${verb}_audience_${oid}()`),
    ),
  ]
  if (unused) return { slots: [], statements: found.isThere ? kept : [], stays: [] }
  refuseStrangers(found)
  const slots = there?.there === 'true' ? await slotsOf(query) : []
  return {
    slots,
    statements: [
      ...kept.filter((statement) => found.isThere || !statement.startsWith('DROP FUNCTION')),
      ...found.policies.map(({ name, table }) => `DROP POLICY ${quoteIdentifier(name)} ON ${table}`),
      ...found.granted.map((table) => `REVOKE ALL ON ${table} FROM ${CLIENT}`),
      ...(found.published ? ['DROP PUBLICATION tidemark'] : []),
      ...(found.isThere ? ['DROP SCHEMA tidemark CASCADE'] : []),
    ],
    stays: [
      ...(found.full.length > 0
        ? [
            `REPLICA IDENTITY FULL of ${found.full.join(', ')} stays: ALTER TABLE … REPLICA IDENTITY DEFAULT where nothing else reads the log.`,
          ]
        : []),
      `Role ${CLIENT} stays, as other databases of the server may use it: DROP ROLE ${CLIENT} where none does.`,
    ],
  }
}

async function tablesRead(query: Query): Promise<string> {
  const [row] = await query(
    `SELECT coalesce(jsonb_path_query_array(definition, '$.tables[*] ? (exists(@.kept))'), '[]')::text AS tables
     FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1`,
  )
  const tables = z.array(z.object({ schema: z.string(), name: z.string() })).parse(JSON.parse(row?.tables ?? '[]'))
  return JSON.stringify(tables.map(({ schema, name }) => ({ schema, name })))
}

async function slotsOf(query: Query): Promise<string[]> {
  const rows = await query(
    `SELECT slot_name::text AS name, active::text AS active FROM pg_replication_slots
     WHERE database = current_database() AND slot_name IN (SELECT slot_name FROM tidemark.epoch) ORDER BY 1`,
  )
  const active = rows.find((row) => row.active === 'true')
  if (active)
    throw new TidemarkError(
      'bad-input',
      `Slot ${active.name} is being read, and nothing was removed: stop the Worker first.`,
    )
  return rows.map(({ name }) => `SELECT pg_drop_replication_slot(${quoteLiteral(name ?? '')})`)
}

/** A policy for the client role alone goes with it; whatever else of the app calls ours must be changed by the app. */
function refuseStrangers({ policies, strangers }: z.infer<typeof foundSchema>): void {
  const others = policies
    .filter(({ roles }) => roles.join() !== CLIENT)
    .map(({ name, table }) => `policy ${name} on ${table}`)
  const all = [...others, ...strangers]
  if (all.length === 0) return
  throw new TidemarkError(
    'bad-input',
    `What the app made calls functions of schema tidemark, and nothing was removed: ${all.join(', ')}. Change or drop it first.`,
  )
}
