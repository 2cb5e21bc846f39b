import type { Query } from '../../db/query.ts'

/** The server's own estimates of a table with its partitions. */
export interface TableSize {
  /** Null where the table was never analysed. */
  readonly rows: number | null
  readonly bytes: number
}

/** Values that Postgres keeps beside their rows travel too. */
const SIZES = `
  SELECT wanted.name AS relation,
    CASE WHEN bool_or(c.reltuples < 0 AND pg_relation_size(c.oid) > 0) THEN NULL
      ELSE sum(greatest(c.reltuples, 0))::int8::text END AS rows,
    sum(pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0))::text AS bytes
  FROM json_array_elements_text($1::json) AS wanted(name)
  CROSS JOIN LATERAL (
    SELECT to_regclass(wanted.name)::oid AS relid UNION SELECT relid FROM pg_partition_tree(to_regclass(wanted.name))
  ) AS part
  JOIN pg_class c ON c.oid = part.relid AND c.relkind = 'r'
  GROUP BY wanted.name`

/** Reads how large tables are, by their quoted names; one that does not exist, or has no partition, is absent. */
export async function readSizes(query: Query, relations: readonly string[]): Promise<ReadonlyMap<string, TableSize>> {
  if (relations.length === 0) return new Map()
  const rows = await query(SIZES, [JSON.stringify(relations)])
  return new Map(
    rows.map((row) => [
      row.relation ?? '',
      { rows: row.rows === null ? null : Number(row.rows), bytes: Number(row.bytes) },
    ]),
  )
}

/** Shows a size for people. */
export function showBytes(bytes: number): string {
  if (bytes < 1_000_000) return `${Math.ceil(bytes / 1_000)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}
