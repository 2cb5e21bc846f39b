import { outputExpression, quoteIdentifier, rowDigestSql } from '../../../protocol/index.ts'
import type { Executor } from '../copies.ts'
import { audienceValue, type ReplicaTable } from '../replica-table.ts'

/** A place in a table: the key of a row, as text. */
export type KeyPlace = readonly (string | null)[]

/** Rows of one audience. */
export interface RowSum {
  /** The audience's value in its column; empty where the audience is a constant. */
  readonly value: string
  readonly rows: number
  readonly digest: bigint
}

const keyOf = ({ key }: ReplicaTable) => `(${key.map(({ name }) => quoteIdentifier(name)).join(', ')})`

function placeSql({ key }: ReplicaTable, first: number): string {
  return `(${key.map(({ type }, index) => `$${first + index}::text::${type}`).join(', ')})`
}

/** Finds the last key of the next `count` rows after a place; null where there are fewer. */
export async function findPlace(
  tx: Executor,
  table: ReplicaTable,
  after: KeyPlace | null,
  count: number,
): Promise<KeyPlace | null> {
  const names = table.key.map((_, index) => `key${index}`)
  const columns = table.key.map((column, index) => `${outputExpression(column)} AS ${names[index]}`)
  const order = table.key.map(({ name }) => quoteIdentifier(name)).join(', ')
  const where = after === null ? '' : `WHERE ${keyOf(table)} > ${placeSql(table, 1)}`
  const { rows } = await tx.query<Record<string, string | null>>(
    `SELECT ${columns.join(', ')} FROM ${table.name} ${where} ORDER BY ${order} OFFSET ${count - 1} LIMIT 1`,
    [...(after ?? [])],
  )
  const [row] = rows
  return row ? names.map((name) => row[name] ?? null) : null
}

/** Adds up the rows between two places, the first excluded; null: from the first row, to the last. Call it under the pinned settings. */
export async function sumRows(
  tx: Executor,
  table: ReplicaTable,
  after: KeyPlace | null,
  upTo: KeyPlace | null,
): Promise<RowSum[]> {
  const rule = table.audience
  const value = 'constant' in rule ? `''` : `coalesce(${audienceValue(table, rule.column)}, '')`
  const bounds = [
    ...(after === null ? [] : [`${keyOf(table)} > ${placeSql(table, 1)}`]),
    ...(upTo === null ? [] : [`${keyOf(table)} <= ${placeSql(table, 1 + (after?.length ?? 0))}`]),
  ]
  const where = bounds.length === 0 ? '' : `WHERE ${bounds.join(' AND ')}`
  const { rows } = await tx.query<{ value: string; rows: string; digest: string }>(
    `SELECT value, count(*)::text AS rows, sum(digest)::text AS digest
     FROM (SELECT ${value} AS value, ${rowDigestSql(table.columns)} AS digest FROM ${table.name} ${where}) AS each GROUP BY value`,
    [...(after ?? []), ...(upTo ?? [])],
  )
  return rows.map((row) => ({ value: row.value, rows: Number(row.rows), digest: BigInt(row.digest) }))
}
