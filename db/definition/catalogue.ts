import * as z from 'zod/mini'
import type { Query } from '../query.ts'
import { expressionSchema } from './computed-alike.ts'
import { whyGeneratedStays } from './generated-stays.ts'
import { KEPT_TRIGGER } from './kept-audience-sql.ts'

const columnSchema = z.object({
  name: z.string(),
  type: z.string(),
  notNull: z.boolean(),
  generated: z.nullable(z.string()),
  /** Computed when read; Postgres 18 makes that the default. */
  generatedVirtual: z.boolean(),
  /** Columns that the generation expression reads. */
  generatedFrom: z.array(z.string()),
  /** Expression of the default, the column's own or its domain's; null where there is none, or it is an identity. */
  default: z.nullable(z.string()),
  /** The parts of the generation expression or of the default; null where there is neither. */
  expression: z.nullable(expressionSchema),
  /** True where the column's collation takes texts that differ for equal. */
  comparedLoosely: z.boolean(),
  /** `GENERATED … AS IDENTITY`, or a default that draws on a sequence. */
  counted: z.boolean(),
  /** `GENERATED ALWAYS AS IDENTITY`. */
  alwaysCounted: z.boolean(),
  /** The sequence that alone numbers it and never begins anew, as `schema.name`, quoted where it must be; null where there is none. */
  sequence: z.nullable(z.string()),
  /** The default depends on something that is neither built in nor a type. */
  defaultIsOwn: z.boolean(),
  /** The default is `uuid_generate_v4()` of the extension uuid-ossp, which TypeORM gives its keys. */
  randomUuid: z.boolean(),
  /** Types of the app that the default names; for an array its element type. */
  defaultTypes: z.array(z.object({ schema: z.string(), name: z.string() })),
  /** The schema of the column's type; for an array, of its element type. */
  typeSchema: z.string(),
  typeName: z.string(),
  /** pg_type.typtype: b, c, d, e, p, r, m. */
  typeKind: z.string(),
  enumLabels: z.array(z.string()),
  /** Base type of a domain as `format_type` prints it; else null. */
  domainBase: z.nullable(z.string()),
  /** The type under the domain; for an array, its element type. */
  domainBaseSchema: z.nullable(z.string()),
  domainBaseName: z.nullable(z.string()),
  domainBaseKind: z.nullable(z.string()),
})

const triggerSchema = z.object({
  /** The language that the trigger's function is written in: plpgsql, internal, c, … */
  language: z.string(),
  source: z.string(),
  arguments: z.array(z.string()),
})

const tableSchema = z.object({
  schema: z.string(),
  name: z.string(),
  /** pg_class.relkind: r, p, v, m, f. */
  kind: z.string(),
  isPartition: z.boolean(),
  /** Tables that inherit from it, quoted for SQL; partitions are not among them. */
  children: z.array(z.string()),
  persistent: z.boolean(),
  /** True where REPLICA IDENTITY is FULL on the table, or, where it is partitioned, on all its leaf partitions. */
  identityFull: z.boolean(),
  columns: z.array(columnSchema),
  /** Enabled row triggers that fire before an insert or an update, of the table or of one of its partitions. */
  triggersBefore: z.array(triggerSchema),
  /** Why values of its generated columns cannot travel; null where they can. */
  generatedStays: z.nullable(z.string()),
  primaryKey: z.array(z.string()),
  primaryKeyDeferrable: z.boolean(),
  uniques: z.array(
    z.object({ name: z.string(), columns: z.array(z.string()), atOnce: z.boolean(), nullsNotDistinct: z.boolean() }),
  ),
  indexes: z.array(
    z.object({
      name: z.string(),
      statement: z.string(),
      columns: z.array(z.string()),
      builtIn: z.boolean(),
      unique: z.boolean(),
      /** The key of a unique index, where it consists of columns alone and covers all rows. */
      plainKey: z.nullable(z.array(z.string())),
      nullsNotDistinct: z.boolean(),
    }),
  ),
  foreignKeys: z.array(
    z.object({
      name: z.string(),
      definition: z.string(),
      columns: z.array(z.string()),
      parentSchema: z.string(),
      parentName: z.string(),
      parentColumns: z.array(z.string()),
    }),
  ),
})

export type CatalogueColumn = z.infer<typeof columnSchema>
export type CatalogueTrigger = z.infer<typeof triggerSchema>
export type CatalogueTable = z.infer<typeof tableSchema>

/** Selects the column names of an attribute number array, in its order; the array is an expression over the row `%`. */
const namesOf = (numbers: string, relation: string) => `
  coalesce((
    SELECT json_agg(a.attname::text ORDER BY n.position)
    FROM unnest(${numbers}) WITH ORDINALITY AS n(number, position)
    JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = n.number
  ), '[]')`

/** Reads the stored expression `tree`: a node's own fields stand before its arguments, and its texts are numbers. */
export const EXPRESSION = String.raw`
  SELECT json_build_object(
    'nodes', coalesce((SELECT json_agg(DISTINCT m[1]) FROM regexp_matches(tree.text, '\{([A-Z]+)', 'g') m), '[]'),
    'types', coalesce((
      SELECT json_agg(DISTINCT format_type(m[1]::oid, NULL))
      FROM regexp_matches(tree.text, ':[a-z_]*type(?:id|Id)? (\d+)', 'g') m), '[]'),
    'collations', coalesce((
      SELECT json_agg(DISTINCT l.collname::text)
      FROM regexp_matches(tree.text, ':collOid (\d+)', 'g') m JOIN pg_collation l ON l.oid = m[1]::oid), '[]'),
    'calls', coalesce((
      SELECT jsonb_agg(DISTINCT jsonb_build_object(
        'function', replace(m[1]::oid::regprocedure::text, '"', ''),
        'collation', CASE
          WHEN m[2] = '0' THEN 'none'
          WHEN m[2] IN ('950', '951') THEN 'C'
          WHEN (SELECT l.collisdeterministic FROM pg_collation l WHERE l.oid = m[2]::oid) THEN 'deterministic'
          ELSE 'nondeterministic' END))
      FROM regexp_matches(tree.text, ':(?:funcid|opfuncid) (\d+)[^{}()]*:inputcollid (\d+)', 'g') m), '[]'))
  WHERE tree.text IS NOT NULL`

const COLUMNS = `
  SELECT json_agg(json_build_object(
    'name', a.attname::text,
    'type', format_type(a.atttypid, a.atttypmod),
    'notNull', a.attnotnull,
    'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
    'generatedVirtual', a.attgenerated = 'v',
    'generatedFrom', CASE WHEN a.attgenerated <> '' THEN coalesce((
      SELECT json_agg(DISTINCT used.attname::text)
      FROM pg_depend p JOIN pg_attribute used ON used.attrelid = p.refobjid AND used.attnum = p.refobjsubid
      WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid NOT IN (0, a.attnum)
        AND ((p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid)
          OR (p.classid = 'pg_class'::regclass AND p.objid = a.attrelid AND p.objsubid = a.attnum))
    ), '[]') ELSE '[]'::json END,
    'expression', (${EXPRESSION}),
    'comparedLoosely', coalesce((SELECT NOT l.collisdeterministic FROM pg_collation l WHERE l.oid = a.attcollation), false),
    'default', given.expression,
    'counted', a.attidentity <> '' OR (given.expression IS NOT NULL AND (given.expression ~ '\\mnextval\\(' OR EXISTS (
      SELECT FROM pg_depend p JOIN pg_class s ON s.oid = p.refobjid AND s.relkind = 'S'
      WHERE p.classid = given.class AND p.objid = given.object AND p.refclassid = 'pg_class'::regclass))),
    'alwaysCounted', a.attidentity = 'a',
    'sequence', (
      SELECT CASE WHEN count(*) = 1 THEN min(format('%I.%I', sn.nspname, s.relname)) END
      FROM pg_depend p JOIN pg_class s ON s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
        JOIN pg_sequence ps ON ps.seqrelid = s.oid AND NOT ps.seqcycle
      WHERE p.classid = 'pg_class'::regclass AND p.objid = s.oid AND p.refclassid = 'pg_class'::regclass
          AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'i'
        OR given.expression ~ '^nextval\\(''[^'']*''::regclass\\)$' AND p.classid = given.class AND p.objid = given.object
          AND p.refclassid = 'pg_class'::regclass AND p.refobjid = s.oid),
    'defaultIsOwn', given.expression IS NOT NULL AND EXISTS (
      SELECT FROM pg_depend p
      WHERE p.classid = given.class AND p.objid = given.object
        -- A domain depends on what holds it, its default on what it calls.
        AND p.refclassid NOT IN ('pg_type'::regclass, 'pg_namespace'::regclass, 'pg_collation'::regclass)
        AND NOT (p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid)),
    'randomUuid', coalesce(given.expression ~ '^(\\w+\\.|"[^"]+"\\.)?uuid_generate_v4\\(\\)$' AND EXISTS (
      SELECT FROM pg_depend p JOIN pg_depend m ON m.classid = p.refclassid AND m.objid = p.refobjid AND m.deptype = 'e'
      JOIN pg_extension x ON m.refclassid = 'pg_extension'::regclass AND x.oid = m.refobjid AND x.extname = 'uuid-ossp'
      WHERE p.classid = given.class AND p.objid = given.object AND p.refclassid = 'pg_proc'::regclass), false),
    'defaultTypes', coalesce((
      SELECT json_agg(json_build_object('schema', en.nspname::text, 'name', e.typname::text))
      FROM pg_depend p JOIN pg_type named ON named.oid = p.refobjid
      JOIN pg_type e ON e.oid = CASE WHEN named.typcategory = 'A' AND named.typelem <> 0 THEN named.typelem ELSE named.oid END
      JOIN pg_namespace en ON en.oid = e.typnamespace
      WHERE given.expression IS NOT NULL AND p.classid = given.class AND p.objid = given.object AND p.refclassid = 'pg_type'::regclass
    ), '[]'),
    'typeSchema', tn.nspname::text,
    'typeName', t.typname::text,
    'typeKind', t.typtype::text,
    'enumLabels', coalesce((SELECT json_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '[]'),
    'domainBase', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
    'domainBaseSchema', base.schema,
    'domainBaseName', base.name,
    'domainBaseKind', base.kind
  ) ORDER BY a.attnum)
  FROM pg_attribute a
  JOIN pg_type declared ON declared.oid = a.atttypid
  JOIN pg_type t ON t.oid = CASE WHEN declared.typcategory = 'A' AND declared.typelem <> 0 THEN declared.typelem ELSE declared.oid END
  JOIN pg_namespace tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN LATERAL (
    SELECT bn.nspname::text AS schema, b.typname::text AS name, b.typtype::text AS kind
    FROM pg_type under
    JOIN pg_type b ON b.oid = CASE WHEN under.typcategory = 'A' AND under.typelem <> 0 THEN under.typelem ELSE under.oid END
    JOIN pg_namespace bn ON bn.oid = b.typnamespace
    WHERE t.typtype = 'd' AND under.oid = t.typbasetype
  ) base ON true
  CROSS JOIN LATERAL (
    SELECT
      CASE WHEN a.attgenerated = '' THEN
        CASE WHEN d.oid IS NULL THEN pg_get_expr(declared.typdefaultbin, 0) ELSE pg_get_expr(d.adbin, d.adrelid) END END AS expression,
      CASE WHEN d.oid IS NULL THEN 'pg_type'::regclass ELSE 'pg_attrdef'::regclass END AS class,
      coalesce(d.oid, declared.oid) AS object
  ) given
  CROSS JOIN LATERAL (
    SELECT CASE WHEN d.oid IS NULL THEN declared.typdefaultbin ELSE d.adbin END::text AS text
  ) tree
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`

/** Read through JSON, because Postgres 14 has no such column. */
const NULLS_NOT_DISTINCT = `coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false)`

const INDEXES = `
  SELECT json_agg(json_build_object(
    'name', ic.relname::text,
    'statement', pg_get_indexdef(i.indexrelid),
    'columns', coalesce((
      SELECT json_agg(DISTINCT used.attname::text)
      FROM pg_depend p JOIN pg_attribute used ON used.attrelid = p.refobjid AND used.attnum = p.refobjsubid
      WHERE p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid
        AND p.refclassid = 'pg_class'::regclass AND p.refobjid = c.oid AND p.refobjsubid > 0
    ), '[]'),
    'builtIn', NOT EXISTS (
      SELECT FROM pg_depend p
      WHERE p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid
        -- Whatever is not pinned: functions, operators, collations, text search configurations, access methods.
        AND p.refclassid NOT IN ('pg_class'::regclass, 'pg_constraint'::regclass)
        AND NOT (p.refclassid = 'pg_type'::regclass AND p.refobjid IN (SELECT atttypid FROM pg_attribute WHERE attrelid = c.oid))),
    'unique', i.indisunique,
    'plainKey', CASE WHEN i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
      THEN ${namesOf('(i.indkey::int2[])[0:i.indnkeyatts - 1]', 'c.oid')} END,
    'nullsNotDistinct', ${NULLS_NOT_DISTINCT}
  ) ORDER BY ic.relname)
  FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
  WHERE i.indrelid = c.oid AND i.indisvalid AND NOT i.indisprimary
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = c.oid AND k.contype IN ('u', 'x'))`

/**
 * Without those that the server does not enforce, and those over periods, which a replica does not know; both are of
 * Postgres 18.
 */
const FOREIGN_KEYS = `
  SELECT json_agg(json_build_object(
    'name', k.conname::text,
    'definition', pg_get_constraintdef(k.oid),
    'columns', ${namesOf('k.conkey', 'k.conrelid')},
    'parentSchema', pn.nspname::text,
    'parentName', p.relname::text,
    'parentColumns', ${namesOf('k.confkey', 'k.confrelid')}
  ) ORDER BY k.conname)
  FROM pg_constraint k JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
  WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0
    AND coalesce((to_jsonb(k)->>'conenforced')::boolean, true) AND NOT coalesce((to_jsonb(k)->>'conperiod')::boolean, false)`

const IDENTITY_FULL = `
  CASE WHEN c.relkind = 'p' THEN NOT EXISTS (
    SELECT FROM pg_partition_tree(c.oid) leaf JOIN pg_class l ON l.oid = leaf.relid
    WHERE leaf.isleaf AND l.relreplident <> 'f')
  ELSE c.relreplident = 'f' END`

/** pg_trigger.tgtype: 1 for each row, 2 before, 4 insert, 16 update. */
const TRIGGERS_BEFORE = `
  SELECT json_agg(json_build_object(
    'language', l.lanname::text,
    'source', f.prosrc,
    'arguments', array_to_json(array_remove(string_to_array(encode(t.tgargs, 'escape'), '\\000'), ''))
  ) ORDER BY t.tgname)
  FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid JOIN pg_language l ON l.oid = f.prolang
  WHERE (t.tgrelid = c.oid OR t.tgrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))
    AND NOT t.tgisinternal AND t.tgname <> '${KEPT_TRIGGER}' AND t.tgenabled IN ('O', 'A') AND t.tgtype & 3 = 3 AND t.tgtype & 20 <> 0`

const TABLE = `
  SELECT json_build_object(
    'schema', n.nspname::text,
    'name', c.relname::text,
    'kind', c.relkind::text,
    'isPartition', c.relispartition,
    'children', coalesce((
      SELECT json_agg(i.inhrelid::regclass::text ORDER BY i.inhrelid::regclass::text)
      FROM pg_inherits i WHERE i.inhparent = c.oid AND c.relkind <> 'p'), '[]'),
    'persistent', c.relpersistence = 'p',
    'identityFull', ${IDENTITY_FULL},
    'columns', coalesce((${COLUMNS}), '[]'),
    'generatedStays', NULL,
    'triggersBefore', coalesce((${TRIGGERS_BEFORE}), '[]'),
    'primaryKey', coalesce((SELECT ${namesOf('k.conkey', 'c.oid')} FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p'), '[]'),
    'primaryKeyDeferrable', EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p' AND k.condeferrable),
    'uniques', coalesce((
      SELECT json_agg(json_build_object('name', k.conname::text, 'columns', ${namesOf('k.conkey', 'c.oid')},
        'atOnce', NOT k.condeferrable, 'nullsNotDistinct', ${NULLS_NOT_DISTINCT}) ORDER BY k.conname)
      FROM pg_constraint k JOIN pg_index i ON i.indexrelid = k.conindid WHERE k.conrelid = c.oid AND k.contype = 'u'), '[]'),
    'indexes', coalesce((${INDEXES}), '[]'),
    'foreignKeys', coalesce((${FOREIGN_KEYS}), '[]')
  )::text AS found
  FROM json_to_recordset($1::json) AS wanted(schema text, name text)
  JOIN pg_namespace n ON n.nspname = wanted.schema
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`

/**
 * The file is long because the form of each answer stands beside the query that reads it.
 *
 * Reads the database's description of these tables; one that does not exist is absent from the answer.
 *
 * Must run under `PINNED_SETTINGS`, whose search path makes Postgres print qualified names.
 */
export async function readCatalogue(
  query: Query,
  tables: readonly { schema: string; name: string }[],
): Promise<CatalogueTable[]> {
  const rows = await query(TABLE, [JSON.stringify(tables.map(({ schema, name }) => ({ schema, name })))])
  const found = rows.map((row) => tableSchema.parse(JSON.parse(row.found ?? 'null')))
  const generatedStays = await whyGeneratedStays(query, found)
  return found.map((table) => ({ ...table, generatedStays }))
}
