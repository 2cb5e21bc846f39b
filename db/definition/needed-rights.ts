import * as z from 'zod/mini'
import type { TableDefinition } from '../../protocol/index.ts'
import type { Query } from '../query.ts'

const neededSchema = z.object({
  kind: z.enum(['sequence', 'function', 'schema']),
  /** As it stands in a GRANT: qualified and quoted, a function with its arguments. */
  name: z.string(),
  /** True where the role has the right. */
  held: z.boolean(),
  /** True where the connecting role may grant it. */
  grantable: z.boolean(),
})

/** A right that a statement on a table needs besides those to the table itself. */
export type NeededRight = z.infer<typeof neededSchema>

/** Selects what an object of `source` depends on: sequences, functions, and the functions of operators. */
const dependenciesOf = (source: string, object: string, from: string) => `
    SELECT p.refclassid, p.refobjid FROM ${from}
    JOIN pg_depend p ON p.classid = '${source}'::regclass AND p.objid = ${object}`

/**
 * Everything that runs as the role when it writes; triggers' functions need no right, nor does an identity's sequence.
 */
const OF_WRITES = [
  dependenciesOf('pg_attrdef', 'd.oid', 'relation r JOIN pg_attrdef d ON d.adrelid = r.oid'),
  dependenciesOf('pg_constraint', 'k.oid', `relation r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'c'`),
  dependenciesOf('pg_class', 'i.indexrelid', 'relation r JOIN pg_index i ON i.indrelid = r.oid'),
  dependenciesOf('pg_class', 'r.oid', 'relation r'),
  dependenciesOf('pg_type', 't.oid', 'domains t'),
  dependenciesOf('pg_constraint', 'k.oid', 'domains t JOIN pg_constraint k ON k.contypid = t.oid'),
]
const OF_POLICIES = dependenciesOf('pg_policy', 'y.oid', 'relation r JOIN pg_policy y ON y.polrelid = r.oid')

const needed = (sources: readonly string[]) => `
  WITH RECURSIVE relation AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
    UNION SELECT leaf.relid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_partition_tree(c.oid) leaf
    WHERE n.nspname = $1 AND c.relname = $2
  ), types AS (
    SELECT t.oid, t.typnamespace, t.typbasetype FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type declared ON declared.oid = a.atttypid
    JOIN pg_type t ON t.oid = CASE WHEN declared.typcategory = 'A' AND declared.typelem <> 0 THEN declared.typelem ELSE declared.oid END
    UNION SELECT b.oid, b.typnamespace, b.typbasetype FROM types t JOIN pg_type b ON b.oid = t.typbasetype
  ), domains AS (SELECT oid FROM types WHERE typbasetype <> 0
  ), used AS (${sources.join(' UNION')}
  ), functions AS (
    SELECT refobjid AS oid FROM used WHERE refclassid = 'pg_proc'::regclass
    UNION SELECT o.oprcode FROM used u JOIN pg_operator o ON o.oid = u.refobjid WHERE u.refclassid = 'pg_operator'::regclass
  )
  SELECT json_build_object('kind', kind, 'name', name, 'held', held, 'grantable', grantable)::text AS needed FROM (
    SELECT 'sequence' AS kind, s.oid::regclass::text AS name, CASE s.relkind WHEN 'S' THEN has_sequence_privilege('tidemark_client', s.oid, 'USAGE, UPDATE') END AS held,
      CASE s.relkind WHEN 'S' THEN has_sequence_privilege(s.oid, 'USAGE WITH GRANT OPTION') END AS grantable
    FROM used u JOIN pg_class s ON s.oid = u.refobjid AND s.relkind = 'S' WHERE u.refclassid = 'pg_class'::regclass
    UNION
    SELECT 'function', f.oid::regprocedure::text, has_function_privilege('tidemark_client', f.oid, 'EXECUTE'),
      has_function_privilege(f.oid, 'EXECUTE WITH GRANT OPTION')
    FROM functions f JOIN pg_proc p ON p.oid = f.oid
    UNION
    SELECT 'schema', quote_ident(n.nspname), has_schema_privilege('tidemark_client', n.oid, 'USAGE'),
      has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION')
    FROM types t JOIN pg_namespace n ON n.oid = t.typnamespace
  ) AS found WHERE NOT held ORDER BY kind, found.name`

const NEEDED = { writes: needed(OF_WRITES), reads: needed([OF_POLICIES]), both: needed([...OF_WRITES, OF_POLICIES]) }

/**
 * Lists rights that role tidemark_client lacks and statements on a table need. `writes`: what its defaults, checks,
 * generated columns, index expressions, partition keys and domains use; `reads`: what its policies call; `both`. Must
 * run under `PINNED_SETTINGS`.
 */
export async function lackingRights(
  query: Query,
  table: Pick<TableDefinition, 'schema' | 'name'>,
  of: keyof typeof NEEDED,
): Promise<NeededRight[]> {
  const rows = await query(NEEDED[of], [table.schema, table.name])
  return rows.map((row) => neededSchema.parse(JSON.parse(row.needed ?? 'null')))
}

/** Returns the statement that gives such a right. */
export function grantOf({ kind, name }: NeededRight): string {
  const right =
    kind === 'function' ? 'EXECUTE ON FUNCTION' : kind === 'sequence' ? 'USAGE ON SEQUENCE' : 'USAGE ON SCHEMA'
  return `GRANT ${right} ${name} TO tidemark_client`
}
