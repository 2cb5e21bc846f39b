import * as z from 'zod/mini'
import { KEPT_AUDIENCE, quoteIdentifier, quoteTable, tableId } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import type { DeclaredTable } from './declared-table.ts'
import {
  childIndex,
  KEPT_KEY,
  KEPT_TRIGGER,
  type KeptTable,
  keptFunctions,
  keptMark,
  keptTriggers,
  parentIndex,
} from './kept-audience-sql.ts'

const columnSchema = z.object({
  name: z.string(),
  /** As `format_type` prints it, with the collation where it is not the type's own. */
  type: z.string(),
  generated: z.boolean(),
  comment: z.nullable(z.string()),
})

const relationSchema = z.object({
  oid: z.string(),
  /** pg_class.relkind. */
  kind: z.string(),
  isPartition: z.boolean(),
  /** Row-level security keeps even this role from reading every row. */
  isHidden: z.boolean(),
  key: z.array(z.string()),
  columns: z.array(columnSchema),
  /** The columns of its valid indexes over plain columns and all rows. */
  indexes: z.array(z.object({ name: z.string(), columns: z.array(z.string()), usable: z.boolean() })),
  triggers: z.array(z.object({ name: z.string(), enabled: z.string() })),
})

const keySchema = z.object({
  name: z.string(),
  parent: z.string(),
  columns: z.array(z.string()),
  parentColumns: z.array(z.string()),
  onDelete: z.string(),
  deferral: z.string(),
  /** ON UPDATE CASCADE. */
  cascades: z.boolean(),
  validated: z.boolean(),
  deferrable: z.boolean(),
})

const factsSchema = z.object({
  table: z.nullable(relationSchema),
  parent: z.nullable(relationSchema),
  keys: z.array(keySchema),
  /** The tables that take their audience from this one, quoted. */
  children: z.array(z.string()),
  /** Triggers by which other tables than the parent give it their audience, as they did once. */
  stale: z.array(z.object({ table: z.string(), name: z.string() })),
  functions: z.array(z.object({ name: z.string(), source: z.string() })),
})

export type KeptFacts = z.infer<typeof factsSchema>

const namesOf = (numbers: string, relation: string) => `
  coalesce((SELECT json_agg(a.attname::text ORDER BY n.place) FROM unnest(${numbers}) WITH ORDINALITY AS n(number, place)
    JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = n.number), '[]')`

const relation = (name: string) => `(
  SELECT json_build_object('oid', c.oid::text, 'kind', c.relkind::text, 'isPartition', c.relispartition,
    'isHidden', row_security_active(c.oid),
    'key', coalesce((SELECT ${namesOf('k.conkey', 'c.oid')} FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p'), '[]'),
    'columns', coalesce((SELECT json_agg(json_build_object('name', a.attname::text,
        'type', format_type(a.atttypid, a.atttypmod) || coalesce((
          SELECT ' COLLATE ' || format('%I.%I', ns.nspname, l.collname) FROM pg_collation l JOIN pg_namespace ns ON ns.oid = l.collnamespace
          WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation), ''),
        'generated', a.attgenerated <> '', 'comment', col_description(c.oid, a.attnum)))
      FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
    'indexes', coalesce((SELECT json_agg(json_build_object('name', x.relname::text,
        'columns', ${namesOf('(i.indkey::int2[])[0:i.indnkeyatts - 1]', 'c.oid')}, 'usable', i.indisvalid AND (i.indimmediate OR NOT i.indisunique)))
      FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
      WHERE i.indrelid = c.oid AND i.indpred IS NULL AND i.indexprs IS NULL), '[]'),
    'triggers', coalesce((SELECT json_agg(json_build_object('name', g.tgname::text, 'enabled', g.tgenabled::text))
      FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgname LIKE '${KEPT_TRIGGER}%'), '[]'))
  FROM pg_class c WHERE c.oid = to_regclass(${name}) AND c.relkind IN ('r', 'p'))`

/** $1 and $2 name table and parent, quoted; the latter perhaps empty. */
const FACTS = `SELECT json_build_object(
  'table', ${relation('$1')},
  'parent', ${relation("nullif($2, '')")},
  'keys', coalesce((SELECT json_agg(json_build_object('name', k.conname::text, 'parent', k.confrelid::text,
      'columns', ${namesOf('k.conkey', 'k.conrelid')}, 'parentColumns', ${namesOf('k.confkey', 'k.confrelid')},
      'onDelete', coalesce(substring(pg_get_constraintdef(k.oid) FROM ' ON DELETE (?:CASCADE|RESTRICT|SET NULL|SET DEFAULT)(?: \\([^)]*\\))?'), ''),
      'deferral', CASE WHEN k.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED' WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END,
      'cascades', k.confupdtype = 'c', 'validated', k.convalidated, 'deferrable', k.condeferrable) ORDER BY k.conname)
    FROM pg_constraint k WHERE k.conrelid = to_regclass($1) AND k.contype = 'f'), '[]'),
  'children', coalesce((SELECT json_agg(k.conrelid::regclass::text) FROM pg_constraint k
    WHERE k.confrelid = to_regclass($1) AND k.contype = 'f' AND k.conname = '${KEPT_KEY}'), '[]'),
  'stale', coalesce((SELECT json_agg(json_build_object('table', g.tgrelid::regclass::text, 'name', g.tgname::text))
    FROM pg_trigger g WHERE g.tgname IN ('${KEPT_TRIGGER}_' || to_regclass($1)::oid, '${KEPT_TRIGGER}_' || to_regclass($1)::oid || '_later')
      AND g.tgrelid IS DISTINCT FROM to_regclass(nullif($2, ''))), '[]'),
  'functions', coalesce((SELECT json_agg(json_build_object('name', 'tidemark.' || p.proname, 'source', p.prosrc))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'tidemark' AND p.proname LIKE '%_audience_%'), '[]')
  )::text AS facts`

/** Reads what a table that keeps its audience, and its parent, are by now. Must run under `PINNED_SETTINGS`. */
export async function readKeptFacts(query: Query, { schema, name, kept }: DeclaredTable): Promise<KeptFacts> {
  const parent = kept?.parent ? quoteTable(kept.parent) : ''
  const [row] = await query(FACTS, [quoteTable({ schema, name }), parent])
  return factsSchema.parse(JSON.parse(row?.facts ?? '{}'))
}

const MARK = 'Kept by Tidemark: '

/** The condition that was installed last; null where there was none. */
function installedWhen({ table }: KeptFacts): string | null {
  const comment = table?.columns.find(({ name }) => name === KEPT_AUDIENCE)?.comment
  if (!comment?.startsWith(MARK)) return null
  const parsed = z.object({ when: z.nullable(z.string()) }).safeParse(JSON.parse(comment.slice(MARK.length)))
  return parsed.success ? parsed.data.when : null
}

/**
 * Answers how a table's audience is kept, or why it cannot be, worded to follow `Table x`; null where the table is not
 * there, of which others tell.
 */
export function planKept(declared: DeclaredTable, facts: KeptFacts): KeptTable | { readonly fault: string } | null {
  const { kept } = declared
  const { table, parent, keys } = facts
  if (kept === null || table === null) return null
  const named = kept.parent ? kept.parent.columns : [kept.column]
  const fault = relationFault(table) ?? columnFault(declared, table) ?? generatedFault(table, named)
  if (fault !== null) return { fault }
  const base = { schema: declared.schema, name: declared.name, oid: table.oid }
  const when = kept.when === undefined ? installedWhen(facts) : kept.when
  if (kept.parent === null) {
    const column = table.columns.find(({ name }) => name === kept.column)
    if (!column)
      return { fault: `has no column ${kept.column}: correct the definition or run the migration that adds it` }
    return { ...base, type: column.type, column: column.name, parent: null, when }
  }
  const id = tableId(kept.parent)
  if (parent === null)
    return { fault: `takes its audience from ${id}, which does not exist: run the migration that creates it` }
  const above = relationFault(parent)
  if (above !== null) return { fault: `takes its audience from ${id}, which ${above}` }
  const audience = parent.columns.find(({ name }) => name === kept.parent?.audience)
  if (!audience) return { fault: `takes its audience from ${id}, which has no column ${kept.parent.audience}` }
  const { columns } = kept.parent
  const sorted = (names: readonly string[]) => JSON.stringify([...names].sort())
  const key = keys.find(
    (one) =>
      one.parent === parent.oid &&
      sorted(one.columns) === sorted(columns) &&
      sorted(one.parentColumns) === sorted(parent.key),
  )
  if (!key)
    return {
      fault:
        `takes its audience from ${id} via ${columns.join(', ')}, and no foreign key leads from there to the key of ${id}: ` +
        `ALTER TABLE ${quoteTable(declared)} ADD FOREIGN KEY (${columns.map(quoteIdentifier).join(', ')}) REFERENCES ${quoteTable(kept.parent)}`,
    }
  return {
    ...base,
    type: audience.type,
    column: null,
    when,
    parent: {
      schema: kept.parent.schema,
      name: kept.parent.name,
      columns: key.columns,
      key: key.parentColumns,
      audience: audience.name,
      actions: key.onDelete + key.deferral,
      mayComeLater: key.deferrable || !key.validated,
    },
  }
}

type Relation = NonNullable<KeptFacts['table']>

function relationFault({ kind, isPartition, isHidden }: Relation): string | null {
  if (kind === 'p' || isPartition)
    return 'is partitioned, and Tidemark keeps audiences of plain tables alone, because a partition that is attached comes past triggers: give it an audience column that your app fills'
  if (isHidden)
    return 'has row-level security that keeps this role from some of its rows: migrate as its owner without FORCE ROW LEVEL SECURITY, or as a role with BYPASSRLS'
  return null
}

function columnFault({ columns }: DeclaredTable, table: Relation): string | null {
  const own = table.columns.find(({ name }) => name === KEPT_AUDIENCE)
  const isOurs = own === undefined || own.comment === null || own.comment.startsWith(MARK)
  if (!isOurs || columns.filter((name) => name === KEPT_AUDIENCE).length > 1)
    return `has a column ${KEPT_AUDIENCE} of its own, which is Tidemark's name: rename it`
  return null
}

/** A trigger before the write sees no value of a generated column. */
function generatedFault({ columns }: Relation, named: readonly (string | null)[]): string | null {
  const generated = columns.find((column) => column.generated && named.includes(column.name))
  return generated
    ? `takes its audience from column ${generated.name}, which is generated after it is decided: name a column that is written`
    : null
}

/** Tells whether everything that keeps the audience is there, and every row was filled by it. */
export function isKept(table: KeptTable, { table: found, parent, keys, stale, functions }: KeptFacts): boolean {
  const own = found?.columns.find(({ name }) => name === KEPT_AUDIENCE)
  const made = keptFunctions(table)
  const on = (name: string) =>
    [...(found?.triggers ?? []), ...(parent?.triggers ?? [])].find((one) => one.name === name)
  return (
    own !== undefined &&
    stale.length === 0 &&
    own.type === table.type &&
    own.comment === keptMark(table) &&
    made.every(({ name, body }) => functions.some((one) => one.name === name && one.source === body)) &&
    keptTriggers(table).every(({ name }) => on(name)?.enabled === 'A') &&
    (table.parent === null || keys.some((key) => isKeyAsWanted(key, table, { parent }) && key.validated)) &&
    missingIndexes(table, { table: found, parent }).length === 0
  )
}

export function isKeyAsWanted(
  key: KeptFacts['keys'][number],
  { parent }: Pick<KeptTable, 'parent'>,
  found: Pick<KeptFacts, 'parent'>,
): boolean {
  return (
    parent !== null &&
    key.name === KEPT_KEY &&
    key.parent === found.parent?.oid &&
    key.columns.join() === [...parent.columns, KEPT_AUDIENCE].join() &&
    key.parentColumns.join() === [...parent.key, parent.audience].join() &&
    key.cascades &&
    key.onDelete + key.deferral === parent.actions
  )
}

export interface KeptIndex {
  readonly name: string
  readonly on: { readonly schema: string; readonly name: string }
  readonly columns: readonly string[]
  readonly unique: boolean
}

/** Lists the indexes that are needed and not there, those to which the foreign key refers first. */
export function missingIndexes(
  table: KeptTable,
  { table: found, parent }: Pick<KeptFacts, 'table' | 'parent'>,
): KeptIndex[] {
  const { schema, name } = table
  const own = { name: childIndex(table), on: { schema, name }, unique: false }
  const child: KeptIndex = { ...own, columns: [KEPT_AUDIENCE, ...(table.parent?.columns ?? [])] }
  const has = (relation: Relation | null, index: KeptIndex) =>
    relation?.indexes.some(
      (one) => one.name === index.name && one.usable && one.columns.join() === index.columns.join(),
    )
  const above: KeptIndex[] = table.parent
    ? [
        {
          name: parentIndex(table),
          on: { schema: table.parent.schema, name: table.parent.name },
          columns: [...table.parent.key, table.parent.audience],
          unique: true,
        },
      ]
    : []
  return [...above.filter((index) => !has(parent, index)), ...(has(found, child) ? [] : [child])]
}
