import { z } from 'zod'
import { type PatchRow, patchRowSchema, type Row } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import { IS_UNSETTLED } from '../store/outbox-ddl.ts'
import { type CapturedWrite, rowId } from './rules/captured-write.ts'
import type { Touched } from './rules/touching.ts'

/** A mutation that is neither confirmed nor failed. */
export interface Unsettled {
  readonly counter: number
  readonly kind: 'patch' | 'action'
  /** False for a patch that has no rows yet; an action needs none. */
  readonly isWhole: boolean
  /** True once a push with it may have reached the server. */
  readonly attempted: boolean
  /** False while it does nothing here, because doing it again threw. */
  readonly effective: boolean
  /** Null for a patch, as `args` is. */
  readonly name: string | null
  readonly args: string | null
  /** ISO 8601. */
  readonly at: string
}

/** One write as it is stored. */
export interface StoredWrite extends CapturedWrite {
  readonly position: number
  readonly counter: number
  readonly cascade: boolean
}

/** Counters as a parameter, because an array type is not known to every connection. */
export const COUNTERS = (parameter: string) =>
  `(SELECT value::bigint FROM json_array_elements_text(${parameter}::text::json))`

/** Reads all unsettled mutations in counter order; as one value, because many rows cost more than all else. */
export async function readUnsettled(tx: Executor): Promise<Unsettled[]> {
  const { rows } = await tx.query<{ unsettled: string | null }>(
    `SELECT json_agg(row_to_json(u) ORDER BY u.counter)::text AS unsettled FROM (
       SELECT counter, kind, kind = 'action' OR patch IS NOT NULL AS "isWhole", request IS NOT NULL AS attempted,
         effective, name, args, at FROM tidemark.mutation WHERE ${IS_UNSETTLED}) AS u`,
  )
  return JSON.parse(rows[0]?.unsettled ?? '[]') as Unsettled[]
}

/** Reads the rows that each of these unsettled mutations wrote here, in the order of `counters`. */
export async function readTouched(tx: Executor, counters: Iterable<number>): Promise<Touched[]> {
  const { rows } = await tx.query<{ counter: number | string; table_id: string; key: string }>(
    'SELECT DISTINCT counter, table_id, key FROM tidemark.write',
  )
  const byCounter = new Map<number, string[]>([...counters].map((counter) => [counter, []]))
  for (const { counter, table_id, key } of rows) byCounter.get(Number(counter))?.push(rowId(table_id, key))
  return [...byCounter].map(([counter, ids]) => ({ counter, rows: ids }))
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

/** Reads the writes that a condition on `w` selects, in the order in which they were done. */
export async function readWrites(tx: Executor, condition: string, params: unknown[]): Promise<StoredWrite[]> {
  const { rows } = await tx.query<WriteRow>(
    `SELECT w.* FROM tidemark.write w WHERE ${condition} ORDER BY w.position`,
    params,
  )
  return rows.map(storedWrite)
}

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

/** Reads the writes of these mutations, and which of the mutations share a row with another. */
export async function writesAndSharing(
  tx: Executor,
  counters: readonly number[],
): Promise<{ readonly writes: StoredWrite[]; readonly shared: ReadonlySet<number> }> {
  const { rows } = await tx.query<WriteRow & { readonly shared: boolean }>(
    `SELECT w.*, EXISTS (
       SELECT FROM tidemark.write o WHERE o.table_id = w.table_id AND o.key = w.key AND o.counter <> w.counter) AS shared
     FROM tidemark.write w WHERE w.counter IN ${COUNTERS('$1')} ORDER BY w.position`,
    [JSON.stringify(counters)],
  )
  const writes = rows.map(storedWrite)
  return { writes, shared: new Set(writes.filter((_, index) => rows[index]?.shared).map(({ counter }) => counter)) }
}

export function writesOf(tx: Executor, counters: Iterable<number>): Promise<StoredWrite[]> {
  return readWrites(tx, `w.counter IN ${COUNTERS('$1')}`, [JSON.stringify([...counters])])
}

const patchSchema = z.array(patchRowSchema)

/** Reads the patches of these mutations; actions have none. */
export async function readPatches(tx: Executor, counters: Iterable<number>): Promise<Map<number, readonly PatchRow[]>> {
  const { rows } = await tx.query<{ counter: number | string; patch: string }>(
    `SELECT counter, patch FROM tidemark.mutation WHERE patch IS NOT NULL AND counter IN ${COUNTERS('$1')}`,
    [JSON.stringify([...counters])],
  )
  return new Map(rows.map(({ counter, patch }) => [Number(counter), patchSchema.parse(JSON.parse(patch))]))
}

/** Reads which of these mutations wrote to a table other than the given ones. */
export async function writersBeyond(
  tx: Executor,
  counters: readonly number[],
  tables: ReadonlySet<string>,
): Promise<Set<number>> {
  const { rows } = await tx.query<{ counter: number | string }>(
    `SELECT DISTINCT counter FROM tidemark.write WHERE counter IN ${COUNTERS('$1')}
       AND table_id NOT IN (SELECT json_array_elements_text($2::text::json))`,
    [JSON.stringify(counters), JSON.stringify([...tables])],
  )
  return new Set(rows.map(({ counter }) => Number(counter)))
}

export async function deleteWrites(tx: Executor, counters: Iterable<number>): Promise<void> {
  await tx.query(`DELETE FROM tidemark.write WHERE counter IN ${COUNTERS('$1')}`, [JSON.stringify([...counters])])
}
