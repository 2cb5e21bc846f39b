import type { Query } from '../../db/query.ts'

const HAS_CHILD = (child: string) =>
  `'has a table that inherits from it (' || ${child}::regclass || '), whose rows the log does not tell as its own: ALTER TABLE … NO INHERIT …'`

/** One line per synced table whose shape or identity no longer is what the latest definition says. */
export const SCHEMA_FAULTS = `
  SELECT t.id, CASE
    WHEN c.oid IS NULL THEN 'is gone or renamed: put the definition that matches the schema in force (tidemark migrate)'
    WHEN l.child IS NOT NULL THEN ${HAS_CHILD('l.child')}
    WHEN l.identity_lost THEN 'lost REPLICA IDENTITY FULL: ALTER TABLE … REPLICA IDENTITY FULL'
    WHEN m.missing IS NULL THEN 'has another primary key than the definition in force: restore it, or put the definition that matches (tidemark migrate)'
    ELSE 'no longer has column ' || m.missing || ': put the definition that matches the schema in force (tidemark migrate)'
  END AS fault
  FROM (SELECT definition FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1) latest
  CROSS JOIN LATERAL jsonb_to_recordset(latest.definition -> 'tables') AS t(id text, schema text, name text, columns jsonb, "primaryKey" jsonb)
  LEFT JOIN LATERAL (
    -- LIMIT keeps the planner, who thinks of a hundred tables, to one lookup for each.
    SELECT oid, relkind, relreplident FROM pg_class
    WHERE oid = to_regclass(format('%I.%I', t.schema, t.name)) AND relkind IN ('r', 'p') LIMIT 1
  ) c ON true
  CROSS JOIN LATERAL (
    SELECT CASE c.relkind
      WHEN 'r' THEN c.relreplident <> 'f'
      ELSE (
        SELECT bool_or((SELECT relreplident FROM pg_class WHERE oid = leaf.relid) <> 'f')
        FROM pg_partition_tree(c.oid) AS leaf WHERE isleaf AND leaf.relid <> c.oid) END AS identity_lost,
      CASE c.relkind WHEN 'r' THEN (SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid LIMIT 1) END AS child
  ) l
  LEFT JOIN LATERAL (
    SELECT string_agg(k ->> 'name', ', ') AS missing
    FROM jsonb_array_elements(t.columns) AS k
    WHERE NOT EXISTS (
      SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = k ->> 'name' AND a.attnum > 0 AND NOT a.attisdropped)
  ) m ON true
  LEFT JOIN LATERAL (
    SELECT jsonb_agg(a.attname ORDER BY k.place) AS columns
    FROM pg_index i
      CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts
  ) key ON true
  WHERE c.oid IS NULL OR l.child IS NOT NULL OR l.identity_lost OR m.missing IS NOT NULL OR key.columns IS DISTINCT FROM t."primaryKey"
  UNION ALL
  SELECT w.id, ${HAS_CHILD('i.inhrelid')}
  FROM (SELECT definition FROM tidemark.sync_definition ORDER BY version DESC LIMIT 1) latest
  CROSS JOIN LATERAL jsonb_to_recordset(latest.definition -> 'watched') AS w(id text, schema text, name text)
  CROSS JOIN LATERAL (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(format('%I.%I', w.schema, w.name)) LIMIT 1) i
  ORDER BY 1`

/** What keeps the log from being read by the latest definition, with its remedy; null when nothing does. */
export async function findSchemaFault(query: Query): Promise<string | null> {
  const rows = await query(SCHEMA_FAULTS)
  return rows.length === 0 ? null : rows.map((row) => `Table ${row.id} ${row.fault}.`).join(' ')
}
