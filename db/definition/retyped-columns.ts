import type { Retype } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { printedAs } from './kept-types.ts'

/** How the values of columns became others, by relation and column number, in order; null: nobody can tell how. */
export type RetypedColumns = ReadonlyMap<string, ReadonlyMap<number, readonly Retype[] | null>>

/** A column, with all that alters where its values are made anew. */
export interface ColumnMark {
  readonly relation: string
  readonly number: number
  readonly name: string
  readonly typeId: string
  readonly typeMod: string
  /** As `format_type` prints it under an empty search path; `labels` is true for an enum, `base` a domain's. */
  readonly type: string
  readonly isEnum: boolean
  readonly base: string | null
  readonly collation: string | null
  /** The column's row in the catalogue, which every ALTER of the column replaces. */
  readonly row: string
  /** The files of its table's rows. */
  readonly files: string
}

const MARKS = `
  SELECT c.oid::text AS relation, a.attnum::text AS number, a.attname::text AS name, a.atttypid::text AS type_id,
    a.atttypmod::text AS type_mod, format_type(a.atttypid, a.atttypmod) AS type, (t.typtype = 'e')::text AS is_enum,
    CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base,
    CASE WHEN a.attcollation <> t.typcollation THEN (
      SELECT format('%I.%I', n.nspname, l.collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
      WHERE l.oid = a.attcollation) END AS collation,
    concat_ws(' ', a.xmin, a.cmin, a.ctid) AS row,
    CASE WHEN c.relkind = 'p' THEN (
      SELECT string_agg(l.relfilenode::text, ' ' ORDER BY l.oid) FROM pg_partition_tree(c.oid) leaf JOIN pg_class l ON l.oid = leaf.relid)
    ELSE c.relfilenode::text END AS files
  FROM json_array_elements_text($1::json) AS wanted(relation)
    JOIN pg_class c ON c.oid = wanted.relation::oid
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
  ORDER BY c.oid, a.attnum`

/** Reads the columns of these relations. */
export async function readColumnMarks(query: Query, relations: readonly string[]): Promise<readonly ColumnMark[]> {
  const rows = await query(MARKS, [JSON.stringify(relations)])
  return rows.map((row) => ({
    relation: row.relation ?? '',
    number: Number(row.number),
    name: row.name ?? '',
    typeId: row.type_id ?? '',
    typeMod: row.type_mod ?? '',
    type: row.type ?? '',
    isEnum: row.is_enum === 'true',
    base: row.base ?? null,
    collation: row.collation ?? null,
    row: row.row ?? '',
    files: row.files ?? '',
  }))
}

/** A column before and after a statement that may have made its values anew. */
export interface MadeAnew {
  readonly before: ColumnMark
  readonly after: ColumnMark
}

/** Finds the columns whose values a statement may have made others. */
export function columnsMadeAnew(before: readonly ColumnMark[], after: readonly ColumnMark[]): readonly MadeAnew[] {
  const byColumn = new Map(after.map((mark) => [`${mark.relation} ${mark.number}`, mark]))
  return before.flatMap((was): MadeAnew[] => {
    const is = byColumn.get(`${was.relation} ${was.number}`)
    if (is === undefined) return []
    const isRewritten = was.row !== is.row && was.files !== is.files
    const isOfAnother = was.typeId !== is.typeId || was.typeMod !== is.typeMod
    const areAlike = was.files === is.files && printed(was) === printed(is)
    return isRewritten || (isOfAnother && !areAlike) ? [{ before: was, after: is }] : []
  })
}

const printed = ({ type, base, isEnum, typeId }: ColumnMark) =>
  printedAs({ type, base, labels: isEnum ? [typeId] : [] })

/** Adds what one more statement did to a column. */
export function withRetype(so: RetypedColumns, { before }: MadeAnew, retype: Retype | null): RetypedColumns {
  const columns = so.get(before.relation)
  const earlier = columns?.get(before.number)
  const now = earlier === null || retype === null ? null : [...(earlier ?? []), retype]
  return new Map(so).set(before.relation, new Map(columns).set(before.number, now))
}
