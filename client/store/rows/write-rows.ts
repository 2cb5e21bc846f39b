import { quoteLiteral, type Row } from '../../../protocol/index.ts'
import type { Executor } from '../copies.ts'
import { type CapturedWrite, rowId } from '../rules/captured-write.ts'
import { COUNTERS, listOf } from './counters.ts'

/** One write as it is stored. */
export interface StoredWrite extends CapturedWrite {
  readonly position: number
  readonly counter: number
  readonly cascade: boolean
}

/** A row of `tidemark.write`. */
export interface WriteRow {
  readonly position: number | string
  readonly counter: number | string
  readonly table_id: string
  readonly op: CapturedWrite['op']
  readonly key: string
  readonly before: string | null
  readonly after: string | null
  readonly cascade: boolean
}

const imageOf = (text: string | null): Row | null => (text === null ? null : (JSON.parse(text) as Row))

export const storedWrite = (row: WriteRow): StoredWrite => ({
  position: Number(row.position),
  counter: Number(row.counter),
  table: row.table_id,
  key: row.key,
  op: row.op,
  before: imageOf(row.before),
  after: imageOf(row.after),
  cascade: row.cascade,
})

/** Reads the writes that a condition on `w` selects, in the order in which they were done. */
async function readWhere(tx: Executor, condition: string, params: unknown[]): Promise<StoredWrite[]> {
  const { rows } = await tx.query<WriteRow>(
    `SELECT w.* FROM tidemark.write w WHERE ${condition} ORDER BY w.position`,
    params,
  )
  return rows.map(storedWrite)
}

/** Reads the writes of these mutations, in the order in which they were done. */
export function readWritesOf(tx: Executor, counters: Iterable<number>): Promise<StoredWrite[]> {
  return readWhere(tx, `w.counter IN ${COUNTERS('$1')}`, [listOf(counters)])
}

/** Reads all writes to the rows that these mutations wrote, in the order in which they were done. */
export function readWritesBeside(tx: Executor, counters: Iterable<number>): Promise<StoredWrite[]> {
  const condition = `(w.table_id, w.key) IN (SELECT n.table_id, n.key FROM tidemark.write n WHERE n.counter IN ${COUNTERS('$1')})`
  return readWhere(tx, condition, [listOf(counters)])
}

/**
 * Reads the writes of mutations after the number `seen` that are neither an undo nor a redo, in their order: of all tabs, or of one.
 */
export async function readWritesSince(
  db: Executor,
  seen: number,
  ofTab: string | null = null,
): Promise<(StoredWrite & { readonly tab: string | null })[]> {
  const { rows } = await db.query<WriteRow & { readonly tab: string | null }>(
    `SELECT w.*, m.tab FROM tidemark.mutation m JOIN tidemark.write w USING (counter)
     WHERE m.counter > $1 AND m.origin NOT IN ('undo', 'redo') AND coalesce(m.tab = $2, $2 IS NULL)
     ORDER BY m.counter, w.position`,
    [seen, ofTab],
  )
  return rows.map((row) => ({ ...storedWrite(row), tab: row.tab }))
}

/** Reads the writes of these mutations, and which of the mutations share a row with another. */
export async function readWritesAndSharing(
  tx: Executor,
  counters: readonly number[],
): Promise<{ readonly writes: StoredWrite[]; readonly shared: ReadonlySet<number> }> {
  const { rows } = await tx.query<WriteRow & { readonly shared: boolean }>(
    `SELECT w.*, EXISTS (
       SELECT FROM tidemark.write o WHERE o.table_id = w.table_id AND o.key = w.key AND o.counter <> w.counter) AS shared
     FROM tidemark.write w WHERE w.counter IN ${COUNTERS('$1')} ORDER BY w.position`,
    [listOf(counters)],
  )
  const writes = rows.map(storedWrite)
  return { writes, shared: new Set(writes.filter((_, index) => rows[index]?.shared).map(({ counter }) => counter)) }
}

/** Reads the ids of the rows that each of these mutations wrote here, in the order of `counters`. */
export async function readTouchedRows(
  tx: Executor,
  counters: Iterable<number>,
): Promise<{ readonly counter: number; readonly rows: readonly string[] }[]> {
  const { rows } = await tx.query<{ counter: number | string; table_id: string; key: string }>(
    'SELECT DISTINCT counter, table_id, key FROM tidemark.write',
  )
  const byCounter = new Map<number, string[]>([...counters].map((counter) => [counter, []]))
  for (const { counter, table_id, key } of rows) byCounter.get(Number(counter))?.push(rowId(table_id, key))
  return [...byCounter].map(([counter, ids]) => ({ counter, rows: ids }))
}

/** Reads the ids of written rows that are among these, or of one of these tables. */
export async function readWrittenAmong(
  tx: Executor,
  ids: readonly { readonly table: string; readonly key: string }[],
  tables: Iterable<string>,
): Promise<string[]> {
  const { rows } = await tx.query<{ table_id: string; key: string }>(
    `SELECT w.table_id, w.key FROM tidemark.write w
     JOIN json_to_recordset($1::text::json) AS x(t text, k text) ON w.table_id = x.t AND w.key = x.k
     UNION SELECT w.table_id, w.key FROM tidemark.write w
     WHERE w.table_id IN (SELECT json_array_elements_text($2::text::json))`,
    [JSON.stringify(ids.map(({ table, key }) => ({ t: table, k: key }))), JSON.stringify([...tables])],
  )
  return rows.map(({ table_id, key }) => rowId(table_id, key))
}

/** Reads the keys of rows of a table that a write gave one of these combinations of values; each is in the order of `columns`. */
export async function readHolders(
  tx: Executor,
  table: string,
  columns: readonly string[],
  values: readonly (readonly (string | null)[])[],
): Promise<string[]> {
  const fields = columns.map((_, index) => `v${index} text`).join(', ')
  const same = columns.map((name, index) => `w.after::json ->> ${quoteLiteral(name)} = x.v${index}`).join(' AND ')
  const { rows } = await tx.query<{ key: string }>(
    `SELECT DISTINCT w.key FROM tidemark.write w JOIN json_to_recordset($1::text::json) AS x(${fields}) ON ${same}
     WHERE w.table_id = $2 AND w.after IS NOT NULL`,
    [JSON.stringify(values.map((one) => Object.fromEntries(one.map((value, index) => [`v${index}`, value])))), table],
  )
  return rows.map(({ key }) => key)
}

/** Reads which of these mutations wrote to a table other than the given ones. */
export async function readWritersBeyond(
  tx: Executor,
  counters: readonly number[],
  tables: ReadonlySet<string>,
): Promise<Set<number>> {
  const { rows } = await tx.query<{ counter: number | string }>(
    `SELECT DISTINCT counter FROM tidemark.write WHERE counter IN ${COUNTERS('$1')}
       AND table_id NOT IN (SELECT json_array_elements_text($2::text::json))`,
    [listOf(counters), JSON.stringify([...tables])],
  )
  return new Set(rows.map(({ counter }) => Number(counter)))
}

/** Answers whether each row's writes stand in the order of their mutations. */
export async function areWritesInOrder(tx: Executor): Promise<boolean> {
  const { rows } = await tx.query(
    `SELECT FROM tidemark.write a JOIN tidemark.write b
     ON b.table_id = a.table_id AND b.key = a.key AND b.position > a.position AND b.counter < a.counter LIMIT 1`,
  )
  return rows.length === 0
}

/** Inserts writes of a mutation as they were captured, in their order. */
export async function insertWrites(
  tx: Executor,
  counter: number,
  writes: readonly Pick<WriteRow, 'table_id' | 'op' | 'key' | 'before' | 'after'>[],
): Promise<void> {
  await tx.query(
    `INSERT INTO tidemark.write (counter, table_id, op, key, before, after)
     SELECT $1::bigint, * FROM json_to_recordset($2::text::json) AS w(table_id text, op text, key text, before text, after text)`,
    [counter, JSON.stringify(writes)],
  )
}

/** Marks the writes at these positions as done by foreign keys. */
export async function flagCascadeWrites(tx: Executor, positions: readonly number[]): Promise<void> {
  await tx.query(`UPDATE tidemark.write SET cascade = true WHERE position IN ${COUNTERS('$1')}`, [listOf(positions)])
}

/** Deletes the writes of these mutations, which have no effect on the rows here any more. */
export async function deleteWrites(tx: Executor, counters: Iterable<number>): Promise<void> {
  await tx.query(`DELETE FROM tidemark.write WHERE counter IN ${COUNTERS('$1')}`, [listOf(counters)])
}

/** Deletes all writes, because the rows have been replaced by others. */
export async function deleteAllWrites(tx: Executor): Promise<void> {
  await tx.exec('DELETE FROM tidemark.write')
}
