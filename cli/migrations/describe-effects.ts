import type { ReplicaEffect } from '../../db/definition/replica-effects.ts'
import type { Query } from '../../db/query.ts'

interface TableSize {
  /** Null where the table was never analysed. */
  readonly rows: number | null
  readonly bytes: number
}

/** Says in a sentence each what replicas do with the tables; to be called in the transaction that changes them. */
export async function describeEffects(query: Query, effects: readonly ReplicaEffect[]): Promise<string[]> {
  const loaded = effects.filter(({ kind }) => kind === 'loaded')
  const sizes = loaded.length > 0 ? await readSizes(query, loaded) : new Map<string, TableSize>()
  return effects.map((effect) => describeEffect(effect, sizes.get(effect.relation)))
}

function describeEffect({ table, before, kind }: ReplicaEffect, size: TableSize | undefined): string {
  const name = before === null ? `${table} joins` : before === table ? table : `${table}, which was ${before}`
  switch (kind) {
    case 'changed in place':
      return `Table ${name}: replicas change theirs in place (nothing is downloaded).`
    case 'made empty':
      return `Table ${name}: replicas make it (nothing is downloaded).`
    case 'dropped':
      return `Table ${name} leaves: replicas drop theirs.`
    case 'loaded':
      return `Table ${name}: replicas load it ${before === null ? '' : 'anew'}${describeSize(size)}.`.replace(' :', ':')
  }
}

function describeSize(size: TableSize | undefined): string {
  if (size === undefined) return ''
  const rows = size.rows === null ? 'rows not yet counted (ANALYZE counts them)' : `about ${size.rows} rows`
  return `: ${rows}, ${showBytes(size.bytes)} in all (estimates; each loads those of its audiences)`
}

function showBytes(bytes: number): string {
  if (bytes < 1_000_000) return `${Math.ceil(bytes / 1_000)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
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

async function readSizes(query: Query, effects: readonly ReplicaEffect[]): Promise<ReadonlyMap<string, TableSize>> {
  const rows = await query(SIZES, [JSON.stringify(effects.map(({ relation }) => relation))])
  return new Map(
    rows.map((row) => [
      row.relation ?? '',
      { rows: row.rows === null ? null : Number(row.rows), bytes: Number(row.bytes) },
    ]),
  )
}
