import * as z from 'zod/mini'
import { type DefinitionInForce, quoteTable } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { KEPT_KEY, KEPT_TRIGGER } from './kept-audience-sql.ts'

const columnShapeSchema = z.object({
  name: z.string(),
  /** pg_attribute.attnum: another column may come to have the same name. */
  number: z.number(),
  type: z.string(),
  notNull: z.boolean(),
  generated: z.nullable(z.string()),
  /** `xmin` of the column's row in the catalogue. */
  made: z.string(),
  /** The labels of an enum, in order. */
  labels: z.array(z.string()),
  /** `xmin` of each label in the catalogue; null where an earlier build did not look. */
  labelsMade: z._default(z.nullable(z.string()), null),
  /** Base type of a domain; else null. */
  base: z.nullable(z.string()),
  /** pg_attribute.attlen, which no change without a rewrite alters; null where an earlier build did not look. */
  length: z._default(z.nullable(z.number()), null),
})

const leafShapeSchema = z.object({
  relation: z.string(),
  name: z.string(),
  kind: z.string(),
  persistence: z.string(),
  identity: z.string(),
  file: z.string(),
  /**
   * True where it was made as a partition: all its rows were written through the log. Else it was attached, perhaps
   * with rows.
   */
  born: z.boolean(),
  empty: z.boolean(),
  /** True where its full identity is as old as the leaf itself. */
  whole: z.boolean(),
})

export const tableShapeSchema = z.object({
  relation: z.string(),
  /** pg_class.relkind, relpersistence and relreplident. */
  kind: z.string(),
  persistence: z.string(),
  identity: z.string(),
  /** The file that holds its rows; a rewrite makes a new one. */
  file: z.string(),
  key: z.array(z.string()),
  /** The last number that was given to a column, dropped ones included; null where an earlier build did not look. */
  width: z._default(z.nullable(z.number()), null),
  /** The end of the log when it was looked at; null where an earlier build did not look. */
  seenAt: z._default(z.nullable(z.string()), null),
  /** Tables that inherit from it, where it is not partitioned. */
  children: z.array(z.string()),
  columns: z.array(columnShapeSchema),
  /** What keeps audiences here, triggers with how they are enabled; null where an earlier build did not look. */
  keeping: z._default(z.nullable(z.array(z.string())), null),
  /** Its leaf partitions, where it is partitioned; branches have no rows. */
  leaves: z.array(leafShapeSchema),
})

/** Everything that a replica's table and its rows are made from, as the catalogue has it. */
export type TableShape = z.infer<typeof tableShapeSchema>
export type LeafShape = z.infer<typeof leafShapeSchema>

/**
 * Joins the row of pg_class behind a name; LIMIT keeps the planner, which expects a hundred tables, to one lookup for
 * each.
 */
const relationOf = (name: string) => `
  LEFT JOIN LATERAL (
    SELECT oid, relkind, relpersistence, relreplident, relfilenode, relhassubclass, relnatts, xmin FROM pg_class
    WHERE oid = to_regclass(${name}) AND relkind IN ('r', 'p') LIMIT 1
  ) c ON true`

/** The type that holds a column's labels or base: its own, or for an array its element type. */
const ELEMENT_TYPE = `
  pg_type declared JOIN pg_type t ON t.oid = CASE WHEN declared.typelem <> 0 THEN declared.typelem ELSE declared.oid END`
const FIRST_OWN_OID = 16_384

/** The triggers that keep audiences, each with `tgenabled`, and the foreign key of that name where it is checked. */
const KEEPING = `
  SELECT g.tgname || ' ' || g.tgenabled::text AS one FROM pg_trigger g
  WHERE g.tgrelid = c.oid AND g.tgname >= '${KEPT_TRIGGER}' AND g.tgname < '${KEPT_TRIGGER}~'
  UNION ALL SELECT k.conname::text FROM pg_constraint k
  WHERE k.conrelid = c.oid AND k.conname = '${KEPT_KEY}' AND k.contype = 'f' AND k.convalidated`

/** A text that differs where anything of a shape differs, cheap enough for every capture cycle. */
const MARK = `md5(concat_ws(',', c.oid, c.relkind, c.relpersistence, c.relreplident, c.relfilenode,
  (SELECT bit_xor(hash_record_extended(ROW (a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attgenerated, a.xmin,
      CASE WHEN a.attgenerated <> '' THEN (SELECT d.oid FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END,
      CASE WHEN a.atttypid >= ${FIRST_OWN_OID} THEN (
        SELECT concat_ws(' ', t.typname, t.typnamespace, t.typbasetype, t.typtypmod, (
          SELECT string_agg(concat_ws(' ', e.enumsortorder, e.enumlabel, e.xmin), ',' ORDER BY e.enumsortorder)
          FROM pg_enum e WHERE e.enumtypid = t.oid))
        FROM ${ELEMENT_TYPE} WHERE declared.oid = a.atttypid) END), 0))
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT string_agg(one, ',' ORDER BY one) FROM (${KEEPING}) AS kept),
  (SELECT i.indkey::text || i.indnkeyatts FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary LIMIT 1),
  CASE
    WHEN c.relkind = 'p' THEN (
      SELECT string_agg(concat_ws(' ', l.oid, l.relkind, l.relpersistence, l.relreplident, l.relfilenode), ',' ORDER BY l.oid)
      FROM pg_partition_tree(c.oid) leaf JOIN pg_class l ON l.oid = leaf.relid WHERE leaf.isleaf)
    WHEN c.relhassubclass THEN (SELECT string_agg(i.inhrelid::text, ',') FROM pg_inherits i WHERE i.inhparent = c.oid)
  END))`

/**
 * Selects one row for each table of the latest definition that is not as it was last compared; nothing where all are.
 * If none was ever compared, it selects one row with an empty id.
 */
export const ALTERED_TABLES = `
  SELECT coalesce(s.table_id, '') AS id
  FROM (SELECT max(version) AS version FROM tidemark.sync_definition) latest
  LEFT JOIN tidemark.table_shape s ON s.version = latest.version
  ${relationOf('s.relation')}
  WHERE s.mark IS DISTINCT FROM ${MARK}`

const COLUMNS = `
  SELECT json_agg(json_build_object(
    'name', a.attname::text,
    'number', a.attnum,
    'type', format_type(a.atttypid, a.atttypmod),
    'notNull', a.attnotnull,
    'generated', CASE WHEN a.attgenerated <> '' THEN (
      SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END,
    'made', a.xmin::text,
    'labels', coalesce((
      SELECT json_agg(e.enumlabel::text ORDER BY e.enumsortorder)
      FROM ${ELEMENT_TYPE} JOIN pg_enum e ON e.enumtypid = t.oid WHERE declared.oid = a.atttypid), '[]'),
    'labelsMade', coalesce((
      SELECT string_agg(e.xmin::text, ' ' ORDER BY e.enumsortorder)
      FROM ${ELEMENT_TYPE} JOIN pg_enum e ON e.enumtypid = t.oid WHERE declared.oid = a.atttypid), ''),
    'base', (
      SELECT format_type(t.typbasetype, t.typtypmod) FROM ${ELEMENT_TYPE}
      WHERE declared.oid = a.atttypid AND t.typtype = 'd'),
    'length', a.attlen
  ) ORDER BY a.attnum)
  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`

/**
 * A table made as a partition is listed as one by the second command after its type. An attached one was a table of its
 * own for a while, if only for a few commands of the same transaction.
 */
const BORN = `i.xmin = t.xmin AND i.cmin::text::int8 - t.cmin::text::int8 <= 2`

const LEAVES = `
  SELECT json_agg(json_build_object(
    'relation', l.oid::text,
    'name', format('%I.%I', n.nspname, l.relname),
    'kind', l.relkind::text,
    'persistence', l.relpersistence::text,
    'identity', l.relreplident::text,
    'file', l.relfilenode::text,
    'born', coalesce(${BORN}, false),
    'empty', coalesce(pg_relation_size(l.oid) = 0, false),
    'whole', l.relreplident = 'f' AND l.xmin = t.xmin
  ) ORDER BY l.oid)
  FROM pg_partition_tree(c.oid) leaf
    JOIN pg_class l ON l.oid = leaf.relid JOIN pg_namespace n ON n.oid = l.relnamespace
    LEFT JOIN pg_inherits i ON i.inhrelid = l.oid LEFT JOIN pg_type t ON t.oid = l.reltype
  WHERE leaf.isleaf AND l.oid <> c.oid`

const SHAPE = `json_build_object(
  'relation', c.oid::text,
  'kind', c.relkind::text,
  'persistence', c.relpersistence::text,
  'identity', c.relreplident::text,
  'file', c.relfilenode::text,
  'key', coalesce((
    SELECT json_agg(a.attname::text ORDER BY k.place)
    FROM pg_index i
      CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts), '[]'),
  'width', c.relnatts,
  'seenAt', pg_current_wal_insert_lsn()::text,
  'children', coalesce((
    SELECT json_agg(i.inhrelid::regclass::text) FROM pg_inherits i WHERE c.relkind = 'r' AND i.inhparent = c.oid), '[]'),
  'columns', coalesce((${COLUMNS}), '[]'),
  'keeping', coalesce((SELECT json_agg(one ORDER BY one) FROM (${KEEPING}) AS kept), '[]'),
  'leaves', CASE WHEN c.relkind = 'p' THEN coalesce((${LEAVES}), '[]') ELSE '[]'::json END)`

/** True where this very transaction altered something of the table. */
const TOUCHED = `coalesce((
  SELECT own.xid IN (SELECT c.xmin
    UNION ALL SELECT a.xmin FROM pg_attribute a WHERE a.attrelid = c.oid
    UNION ALL SELECT d.xmin FROM pg_attrdef d WHERE d.adrelid = c.oid
    UNION ALL SELECT e.xmin FROM pg_attribute a, ${ELEMENT_TYPE} JOIN pg_enum e ON e.enumtypid = t.oid
      WHERE a.attrelid = c.oid AND a.atttypid >= ${FIRST_OWN_OID} AND declared.oid = a.atttypid
    UNION ALL SELECT t.xmin FROM pg_attribute a, ${ELEMENT_TYPE}
      WHERE a.attrelid = c.oid AND a.atttypid >= ${FIRST_OWN_OID} AND declared.oid = a.atttypid
    UNION ALL SELECT l.xmin FROM pg_partition_tree(c.oid) leaf JOIN pg_class l ON l.oid = leaf.relid WHERE c.relkind = 'p')
  FROM (SELECT pg_current_xact_id_if_assigned()::xid AS xid) own), false)`

/** A version of the definition, with the tables that are watched under it. */
export type Version = Pick<DefinitionInForce, 'version' | 'definition' | 'watched' | 'passedOver'>

/**
 * Shapes are stored under the latest stored version, even where nobody can read it: a cheap look can ask for no other.
 */
const keptUnder = ({ version, passedOver = version }: Version): number => passedOver

function wantedOf({ definition, watched = [] }: Version): string {
  const byId = new Map([...watched, ...definition.tables].map((table) => [table.id, quoteTable(table)]))
  return JSON.stringify([...byId].map(([id, relation]) => ({ id, relation })))
}

export interface FoundShape {
  /** Null where no table has the name. */
  readonly now: TableShape | null
  /** As last compared under the definition's version; null where it never was. */
  readonly before: TableShape | null
  readonly touched: boolean
}

/** Reads the shapes of a version's tables, now and when last compared, by id. Must run under `PINNED_SETTINGS`. */
export async function readShapes(query: Query, inForce: Version): Promise<ReadonlyMap<string, FoundShape>> {
  const rows = await query(
    `SELECT wanted.id, s.shape::text AS before, CASE WHEN c.oid IS NOT NULL THEN ${SHAPE} END::text AS now, ${TOUCHED}::text AS touched
     FROM json_to_recordset($1::json) AS wanted(id text, relation text)
     LEFT JOIN LATERAL (
       SELECT shape FROM tidemark.table_shape k
       WHERE k.table_id = wanted.id AND k.version BETWEEN $2::bigint AND $3::bigint ORDER BY k.version DESC LIMIT 1
     ) s ON true
     ${relationOf('wanted.relation')}`,
    [wantedOf(inForce), inForce.version, keptUnder(inForce)],
  )
  return new Map(
    rows.map(({ id, before, now, touched }) => [
      id ?? '',
      { before: parseShape(before), now: parseShape(now), touched: touched === 'true' },
    ]),
  )
}

function parseShape(text: string | null | undefined): TableShape | null {
  const parsed = tableShapeSchema.safeParse(JSON.parse(text ?? 'null'))
  return parsed.success ? parsed.data : null
}

/**
 * Stores the shapes that the tables of this version have now, for later looks; in the transaction that puts the version
 * in force, or finds it unharmed. `unplaced`: ids of tables that were altered at an unknown place.
 */
export async function storeShapes(query: Query, inForce: Version, unplaced: readonly string[] = []): Promise<void> {
  await query(
    `INSERT INTO tidemark.table_shape AS kept (version, table_id, relation, mark, shape, unplaced)
     SELECT $2::bigint, wanted.id, wanted.relation, ${MARK}, ${SHAPE}::jsonb, wanted.id = ANY ($3::text[])
     FROM json_to_recordset($1::json) AS wanted(id text, relation text)
     ${relationOf('wanted.relation')}
     ON CONFLICT (version, table_id) DO UPDATE SET mark = excluded.mark, shape = excluded.shape,
       unplaced = kept.unplaced OR excluded.unplaced`,
    [wantedOf(inForce), keptUnder(inForce), `{${unplaced.map((id) => JSON.stringify(id)).join()}}`],
  )
  await query('DELETE FROM tidemark.table_shape WHERE version < $1::bigint AND NOT unplaced', [inForce.version])
}

/** A column that had another catalogue row when its table was last compared. */
export interface UncomparedColumn {
  readonly table: string
  readonly column: string
  /** `xmin` of the row that was compared. */
  readonly compared: string
}

/**
 * Leaves these columns of stored shapes to capture's next look, which asks the log what they were meanwhile; call this
 * after `storeShapes`.
 */
export async function keepUncompared(
  query: Query,
  inForce: Version,
  columns: readonly UncomparedColumn[],
): Promise<void> {
  if (columns.length === 0) return
  await query(
    `UPDATE tidemark.table_shape kept SET mark = '', shape = jsonb_set(kept.shape, '{columns}', (
       SELECT jsonb_agg(shown.value || CASE WHEN asked.compared IS NULL THEN '{}' ELSE jsonb_build_object('made', asked.compared) END
         ORDER BY shown.place)
       FROM jsonb_array_elements(kept.shape->'columns') WITH ORDINALITY AS shown(value, place)
         LEFT JOIN json_to_recordset($1::json) AS asked("table" text, "column" text, compared text)
           ON asked."table" = kept.table_id AND asked."column" = shown.value->>'name'))
     WHERE version = $2::bigint AND table_id IN (
       SELECT asked."table" FROM json_to_recordset($1::json) AS asked("table" text))`,
    [JSON.stringify(columns), keptUnder(inForce)],
  )
}
