import * as z from 'zod/mini'
import { type PatchRow, type PredictedChange, patchRowSchema, predictedChangeSchema } from '../../../protocol/index.ts'
import type { CallOrigin } from '../call-origin.ts'
import type { Executor } from '../copies.ts'
import { IS_UNSETTLED } from '../words-ddl.ts'
import { COUNTERS, listOf } from './counters.ts'

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

/** Predicted changes, by the counter of their mutation. */
export type Predictions = ReadonlyMap<number, readonly PredictedChange[]>

const patchSchema = z.array(patchRowSchema)
const predictedSchema = z.array(predictedChangeSchema)

/** Reads all unsettled mutations in counter order; as one value, because many rows cost more than all else. */
export async function readUnsettled(tx: Executor): Promise<Unsettled[]> {
  const { rows } = await tx.query<{ unsettled: string | null }>(
    `SELECT json_agg(row_to_json(u) ORDER BY u.counter)::text AS unsettled FROM (
       SELECT counter, kind, kind = 'action' OR patch IS NOT NULL AS "isWhole", request IS NOT NULL AS attempted,
         effective, name, args, at FROM tidemark.mutation WHERE ${IS_UNSETTLED}) AS u`,
  )
  return JSON.parse(rows[0]?.unsettled ?? '[]') as Unsettled[]
}

/** Begins an action in this transaction, and answers its number and time. */
export async function beginAction(
  tx: Executor,
  name: string,
  args: string,
): Promise<{ readonly counter: number; readonly at: string }> {
  const { rows } = await tx.query<{ made: number | string; made_at: string }>(
    'SELECT made, made_at FROM tidemark.begin_action($1, $2)',
    [name, args],
  )
  return { counter: Number(rows[0]?.made), at: rows[0]?.made_at ?? '' }
}

/** Says of the mutation that this transaction makes where it comes from. */
export async function setOriginOfCurrent(tx: Executor, origin: string): Promise<void> {
  await tx.query(
    `UPDATE tidemark.mutation SET origin = $1
     WHERE counter = nullif(current_setting('tidemark.mutation', true), '')::bigint`,
    [origin],
  )
}

/** Reads the number of the mutation of this origin; null where there is none. */
export async function readMadeBy(db: Executor, origin: string): Promise<number | null> {
  const { rows } = await db.query<{ counter: number | string }>(
    'SELECT counter FROM tidemark.mutation WHERE origin = $1 ORDER BY counter LIMIT 1',
    [origin],
  )
  return rows[0] ? Number(rows[0].counter) : null
}

/** Notes of the mutation that this transaction makes, if it makes one, which tab asked for it by which call. */
export async function setCallOfCurrent(tx: Executor, { tab, call }: CallOrigin): Promise<void> {
  await tx.query(
    `UPDATE tidemark.mutation SET tab = $1, call = $2
     WHERE counter = nullif(current_setting('tidemark.mutation', true), '')::bigint`,
    [tab, call],
  )
}

/** Makes a mutation the work of the tab that made a former one, whose failure it takes back. */
export async function keepTabOf(tx: Executor, former: number, made: number): Promise<void> {
  await tx.query(
    'UPDATE tidemark.mutation m SET tab = f.tab FROM tidemark.mutation f WHERE m.counter = $2 AND f.counter = $1',
    [former, made],
  )
  await tx.query('UPDATE tidemark.mutation SET rejection = NULL WHERE counter = $1', [former])
}

/** Reads the number of the mutation that a call made; null where it made none, or none that is still known. */
export async function readMadeByCall(db: Executor, call: string): Promise<number | null> {
  const { rows } = await db.query<{ counter: number | string }>(
    'SELECT counter FROM tidemark.mutation WHERE call = $1',
    [call],
  )
  return rows[0] ? Number(rows[0].counter) : null
}

/** Reads the numbers of patches that have no rows yet, in counter order. */
export async function readUnsealed(tx: Executor): Promise<number[]> {
  const { rows } = await tx.query<{ counter: number | string }>(
    `SELECT counter FROM tidemark.mutation WHERE kind = 'patch' AND patch IS NULL ORDER BY counter`,
  )
  return rows.map(({ counter }) => Number(counter))
}

/** Gives patches their rows; one without any is confirmed. */
export async function sealPatches(
  tx: Executor,
  sealed: readonly { readonly counter: number; readonly patch: readonly PatchRow[] }[],
): Promise<void> {
  await tx.query(
    `UPDATE tidemark.mutation m SET patch = x.patch, status = CASE WHEN x.patch = '[]' THEN 'confirmed' ELSE m.status END
     FROM json_to_recordset($1::text::json) AS x(counter bigint, patch text) WHERE m.counter = x.counter`,
    [JSON.stringify(sealed.map(({ counter, patch }) => ({ counter, patch: JSON.stringify(patch) })))],
  )
}

/** Reads how many rows and characters a sealed patch has; null where there is no such mutation. */
export async function readPatchSize(
  tx: Executor,
  counter: number,
): Promise<{ readonly rows: number; readonly chars: number } | null> {
  const { rows } = await tx.query<{ rows: number; chars: number }>(
    'SELECT json_array_length(patch::json) AS rows, length(patch) AS chars FROM tidemark.mutation WHERE counter = $1',
    [counter],
  )
  return rows[0] ?? null
}

/** Reads the patches of these mutations; actions have none. */
export async function readPatches(tx: Executor, counters: Iterable<number>): Promise<Map<number, readonly PatchRow[]>> {
  const { rows } = await tx.query<{ counter: number | string; patch: string }>(
    `SELECT counter, patch FROM tidemark.mutation WHERE patch IS NOT NULL AND counter IN ${COUNTERS('$1')}`,
    [listOf(counters)],
  )
  return new Map(rows.map(({ counter, patch }) => [Number(counter), patchSchema.parse(JSON.parse(patch))]))
}

/** The call of an action; `args` and `keys`, those that it took by itself, are JSON. */
export interface StoredCall {
  readonly name: string
  readonly args: string
  readonly keys: string | null
}

/** Reads the calls among these mutations; patches are none. */
export async function readCalls(tx: Executor, counters: Iterable<number>): Promise<Map<number, StoredCall>> {
  const { rows } = await tx.query<StoredCall & { counter: number | string }>(
    `SELECT counter, name, coalesce(args, 'null') AS args, keys FROM tidemark.mutation
     WHERE kind = 'action' AND counter IN ${COUNTERS('$1')}`,
    [listOf(counters)],
  )
  return new Map(rows.map(({ counter, ...call }) => [Number(counter), call]))
}

/** A patch that is not confirmed; `attempted` while a push with it waits for its outcome. */
export interface OpenPatch {
  readonly counter: number
  readonly attempted: boolean
  readonly patch: readonly PatchRow[]
}

/** Reads the patches of pending and failed mutations: of those said in the version of the copy, or of all others. */
export async function readOpenPatches(tx: Executor, isBeside: boolean): Promise<OpenPatch[]> {
  const { rows } = await tx.query<{ counter: number | string; attempted: boolean; patch: string }>(
    `SELECT counter, request IS NOT NULL AND status = 'sent' AS attempted, patch FROM tidemark.mutation
     WHERE patch IS NOT NULL AND status <> 'confirmed' AND squashed_into IS NULL AND (said IS NOT NULL) = $1`,
    [isBeside],
  )
  return rows.map(({ counter, attempted, patch }) => ({
    counter: Number(counter),
    attempted,
    patch: patchSchema.parse(JSON.parse(patch)),
  }))
}

/** Replaces the patches of these mutations. */
export async function writePatches(
  tx: Executor,
  patches: readonly { readonly counter: number; readonly patch: readonly PatchRow[] }[],
): Promise<void> {
  await tx.query(
    `UPDATE tidemark.mutation m SET patch = x.patch
     FROM json_to_recordset($1::text::json) AS x(counter bigint, patch text) WHERE m.counter = x.counter AND m.patch <> x.patch`,
    [JSON.stringify(patches.map(({ counter, patch }) => ({ counter, patch: JSON.stringify(patch) })))],
  )
}

async function predictionsWhere(tx: Executor, condition: string, params: unknown[]): Promise<Predictions> {
  const { rows } = await tx.query<{ counter: number | string; predicted: string }>(
    `SELECT counter, predicted FROM tidemark.mutation WHERE predicted IS NOT NULL AND ${condition}`,
    params,
  )
  return new Map(rows.map(({ counter, predicted }) => [Number(counter), predictedSchema.parse(JSON.parse(predicted))]))
}

/** Reads what these mutations predicted when they were frozen; those that predicted nothing are left out. */
export function readPredictions(tx: Executor, counters: readonly number[]): Promise<Predictions> {
  return predictionsWhere(tx, `counter IN ${COUNTERS('$1')}`, [listOf(counters)])
}

/** Works as `readPredictions`, for all unsettled mutations. */
export function readUnsettledPredictions(tx: Executor): Promise<Predictions> {
  return predictionsWhere(tx, IS_UNSETTLED, [])
}

/** Replaces what these mutations predicted. */
export async function writePredictions(tx: Executor, predictions: Predictions): Promise<void> {
  const written = [...predictions].map(([counter, predicted]) => ({ counter, predicted: JSON.stringify(predicted) }))
  await tx.query(
    `UPDATE tidemark.mutation m SET predicted = x.predicted
     FROM json_to_recordset($1::text::json) AS x(counter bigint, predicted text) WHERE m.counter = x.counter`,
    [JSON.stringify(written)],
  )
}

/** Forgets what these mutations predicted, so that the rows that the server tells by it are asked for. */
export async function forgetPredictions(tx: Executor, counters: readonly number[]): Promise<void> {
  if (counters.length === 0) return
  await tx.query(`UPDATE tidemark.mutation SET predicted = NULL WHERE counter IN ${COUNTERS('$1')}`, [listOf(counters)])
}

/** Marks these mutations so that no later patch counts as the same edit as one of them. */
export async function closeToSquashing(tx: Executor, counters: Iterable<number>): Promise<void> {
  await tx.query(`UPDATE tidemark.mutation SET sealed = true WHERE NOT sealed AND counter IN ${COUNTERS('$1')}`, [
    listOf(counters),
  ])
}

/** Makes mutations without effect here ones with it, and the other way round. */
export async function flipEffective(tx: Executor, counters: Iterable<number>): Promise<void> {
  await tx.query(`UPDATE tidemark.mutation SET effective = NOT effective WHERE counter IN ${COUNTERS('$1')}`, [
    listOf(counters),
  ])
}
