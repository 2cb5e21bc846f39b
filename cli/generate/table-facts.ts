import type { Query } from '../../db/query.ts'

/** One table as the catalogue describes it; two databases of one server describe equal tables equally. */
export interface TableFacts {
  readonly schema: string
  readonly name: string
  readonly columns: readonly ColumnFacts[]
  readonly constraints: readonly ConstraintFacts[]
  /** Indexes that no constraint made. */
  readonly indexes: readonly { readonly name: string; readonly definition: string }[]
  /** The definition of the trigger that counts versions; null without it. */
  readonly versionTrigger: string | null
}

export interface ColumnFacts {
  readonly name: string
  /** With its modifier and, unless built in, its schema. */
  readonly type: string
  readonly notNull: boolean
  /** The default, or for a generated column what it is computed as; null for neither. */
  readonly expression: string | null
  readonly generated: boolean
  /** `a` always, `d` by default, empty for no identity. */
  readonly identity: string
  /** Quoted, where it is not the type's own. */
  readonly collation: string | null
}

export interface ConstraintFacts {
  readonly name: string
  /** `p` primary key, `u` unique, `f` foreign key, `c` check, `x` exclusion. */
  readonly kind: string
  readonly definition: string
  /** The definition where all that it says matters; of a foreign key, without the order of its pairs of columns. */
  readonly meaning: string
  readonly columns: readonly string[]
}

/** An enum type that a column of the tables has. */
export interface EnumFacts {
  readonly name: string
  readonly labels: readonly string[]
}

export interface SchemaFacts {
  readonly schemas: readonly string[]
  readonly extensions: readonly string[]
  readonly tables: readonly TableFacts[]
  readonly enums: readonly EnumFacts[]
  /** The body of the function that counts versions; null where there is none. */
  readonly versionFunction: string | null
}

/** A foreign key's definition without its lists of columns, and these in pairs. */
const MEANING = `(SELECT json_build_array(
    replace(replace(pg_get_constraintdef(k.oid),
      '(' || string_agg(quote_ident(a.attname), ', ' ORDER BY pair.place) || ') REFERENCES', 'REFERENCES'),
      '(' || string_agg(quote_ident(b.attname), ', ' ORDER BY pair.place) || ')', ''),
    json_agg(json_build_array(a.attname, b.attname) ORDER BY a.attname))::text
  FROM unnest(k.conkey, k.confkey) WITH ORDINALITY AS pair (own, other, place)
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = pair.own
  JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = pair.other)`
const TABLES = `SELECT coalesce(json_agg(json_build_object(
  'schema', n.nspname, 'name', c.relname,
  'columns', (SELECT json_agg(json_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
      'expression', pg_get_expr(d.adbin, d.adrelid), 'generated', a.attgenerated <> '', 'identity', a.attidentity,
      'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END) ORDER BY a.attnum)
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'constraints', (SELECT coalesce(json_agg(json_build_object(
      'name', k.conname, 'kind', k.contype, 'definition', pg_get_constraintdef(k.oid),
      'meaning', CASE k.contype WHEN 'f' THEN ${MEANING} ELSE pg_get_constraintdef(k.oid) END,
      'columns', (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey))
    ) ORDER BY k.contype, k.conname), '[]')
    FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')),
  'indexes', (SELECT coalesce(json_agg(json_build_object('name', i.relname, 'definition', pg_get_indexdef(x.indexrelid)) ORDER BY i.relname), '[]')
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    WHERE x.indrelid = c.oid AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))),
  'versionTrigger', (SELECT pg_get_triggerdef(g.oid) FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname = 'version_counted')
) ORDER BY n.nspname, c.relname), '[]')::text AS facts
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tidemark')
  AND n.nspname NOT LIKE 'pg\\_%' AND c.relname <> 'typeorm_metadata'`
const ENUMS = `SELECT coalesce(json_agg(json_build_object('name', e.name, 'labels', e.labels) ORDER BY e.name), '[]')::text AS facts
FROM (SELECT format_type(t.oid, NULL) AS name, json_agg(l.enumlabel ORDER BY l.enumsortorder) AS labels
  FROM pg_type t JOIN pg_enum l ON l.enumtypid = t.oid JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE n.nspname <> 'tidemark' GROUP BY t.oid) AS e`
const SCHEMAS = `SELECT json_agg(n.nspname ORDER BY n.nspname)::text AS facts FROM pg_namespace n`
const EXTENSIONS = `SELECT json_agg(e.extname ORDER BY e.extname)::text AS facts FROM pg_extension e`
const FUNCTION = `SELECT to_json(max(p.prosrc))::text AS facts FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.proname = 'tidemark_count_version'`

/** Reads all tables that an app may have; run under a search path of pg_catalog alone, so that names come qualified. */
export async function readFacts(query: Query): Promise<SchemaFacts> {
  const read = async <Facts>(text: string) => JSON.parse((await query(text))[0]?.facts ?? 'null') as Facts
  return {
    schemas: await read(SCHEMAS),
    extensions: await read(EXTENSIONS),
    tables: await read(TABLES),
    enums: await read(ENUMS),
    versionFunction: await read(FUNCTION),
  }
}

/** Leaves only the tables of these names, and the enum types of their columns. */
export function factsOf(facts: SchemaFacts, isOne: (table: { schema: string; name: string }) => boolean): SchemaFacts {
  const tables = facts.tables.filter(isOne)
  const types = new Set(tables.flatMap(({ columns }) => columns.map(({ type }) => type.replace('[]', ''))))
  return { ...facts, tables, enums: facts.enums.filter(({ name }) => types.has(name)) }
}
