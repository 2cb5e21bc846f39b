import * as z from 'zod/mini'
import { patchRowSchema, predictedChangeSchema, type Rejection, rejectionSchema } from '../../../protocol/index.ts'
import { lsnSchema } from '../../../protocol/lsn-schema.ts'
import type { Executor } from '../copies.ts'
import { jsonText } from './json-text.ts'

const text = z.nullable(z.string())
const counter = z.coerce.number()

const recordSchema = z.object({
  counter,
  kind: z.enum(['patch', 'action']),
  name: text,
  args: text,
  at: z.string(),
  status: z.enum(['pending', 'sent', 'confirmed', 'failed']),
  effective: z.boolean(),
  rejection: z.nullable(jsonText(rejectionSchema)),
  lsn: z.nullable(lsnSchema),
})

/** A mutation that was squashed ends as the one that it is part of. */
const RECORDS = `
  SELECT m.counter, m.kind, m.name, m.args, m.at, h.status, h.effective, h.rejection, h.lsn
  FROM tidemark.mutation m JOIN tidemark.mutation h ON h.counter = coalesce(m.squashed_into, m.counter)`

/** Reads the newest mutations, newest first, or the one of this counter. */
export async function readRecords(
  db: Executor,
  wanted: { readonly limit: number } | { readonly counter: number },
): Promise<z.infer<typeof recordSchema>[]> {
  const { rows } = await ('counter' in wanted
    ? db.query(`${RECORDS} WHERE m.counter = $1`, [wanted.counter])
    : db.query(`${RECORDS} ORDER BY m.counter DESC LIMIT $1`, [wanted.limit]))
  return rows.map((row) => recordSchema.parse(row))
}

const failedSchema = z.object({
  counter,
  name: text,
  args: text,
  at: z.string(),
  patch: z.nullable(jsonText(z.array(patchRowSchema))),
  predicted: z.nullable(jsonText(z.array(predictedChangeSchema))),
  rejection: jsonText(rejectionSchema),
})

/** A failed mutation that waits for the app to decide. */
export type FailedMutation = z.infer<typeof failedSchema>

/**
 * Reads the failed mutations, oldest first. One of which migrations left nothing while it was on its way is as it left.
 */
export async function readFailed(tx: Executor): Promise<FailedMutation[]> {
  const { rows } = await tx.query(
    `SELECT counter, name, args, at, predicted, rejection,
       CASE WHEN patch = '[]' AND request IS NOT NULL THEN (request::json -> 'rows')::text ELSE patch END AS patch
     FROM tidemark.mutation
     WHERE status = 'failed' AND squashed_into IS NULL ORDER BY counter`,
  )
  return rows.map((row) => failedSchema.parse(row))
}

const unsentSchema = z.object({
  counter,
  kind: z.enum(['patch', 'action']),
  name: text,
  args: text,
  at: z.string(),
  status: z.enum(['pending', 'sent', 'failed']),
  rejection: z.nullable(jsonText(rejectionSchema)),
  patch: z.nullable(jsonText(z.array(patchRowSchema))),
})

/** Reads the oldest mutations that are not confirmed, within both bounds and at least one, and how many there are in all. */
export async function readUnsent(
  tx: Executor,
  { limit, chars }: { readonly limit: number; readonly chars: number },
): Promise<{ readonly unsent: number; readonly records: z.infer<typeof unsentSchema>[] }> {
  const { rows } = await tx.query<{ unsent: number | string }>(
    `WITH sized AS (
       SELECT counter, count(*) OVER () AS unsent, row_number() OVER oldest AS position,
         sum(coalesce(length(args), 0) + coalesce(length(patch), 0) + coalesce((
           SELECT sum(coalesce(length(w.before), 0) + coalesce(length(w.after), 0)) FROM tidemark.write w
           WHERE w.counter = m.counter), 0)) OVER oldest AS chars
       FROM tidemark.mutation m WHERE status <> 'confirmed' AND squashed_into IS NULL WINDOW oldest AS (ORDER BY counter))
     SELECT m.counter, m.kind, m.name, m.args, m.at, m.status, m.rejection, m.patch, s.unsent
     FROM sized s JOIN tidemark.mutation m USING (counter)
     WHERE s.position = 1 OR s.position <= $1 AND s.chars <= $2 ORDER BY m.counter`,
    [limit, chars],
  )
  return { unsent: Number(rows[0]?.unsent ?? 0), records: rows.map((row) => unsentSchema.parse(row)) }
}

/** Deletes a failed mutation with those squashed into it, and answers whether it had failed. */
export async function deleteFailed(tx: Executor, failed: number): Promise<boolean> {
  const { affectedRows = 0 } = await tx.query(
    `DELETE FROM tidemark.mutation WHERE status = 'failed' AND counter = $1`,
    [failed],
  )
  if (affectedRows === 0) return false
  await tx.query('DELETE FROM tidemark.mutation WHERE squashed_into = $1', [failed])
  return true
}

/** Deletes confirmed mutations up to a number, with those squashed into them. */
export async function deleteConfirmed(tx: Executor, upTo: number): Promise<void> {
  await tx.query(
    `DELETE FROM tidemark.mutation WHERE coalesce(squashed_into, counter) IN
       (SELECT counter FROM tidemark.mutation WHERE status = 'confirmed' AND counter <= $1)`,
    [upTo],
  )
}

const countsSchema = z.object({
  last: counter,
  pending: counter,
  newest: counter,
  oldest: z.nullable(counter),
  since: z.nullable(z.string()),
  failed: z.array(counter),
})

/** Reads the last mutation made, how many wait, the newest without an outcome, the oldest unsettled and since when it is, and the failed. */
export async function readCounts(db: Executor): Promise<z.infer<typeof countsSchema>> {
  const { rows } = await db.query(`
    SELECT o.counter AS last, m.pending, coalesce(m.newest, 0) AS newest, m.oldest, m.since, coalesce(m.failed, '[]') AS failed
    FROM tidemark.owner o, (
      SELECT count(*) FILTER (WHERE status <> 'failed') AS pending, max(counter) FILTER (WHERE status <> 'failed' AND outcome IS NULL) AS newest,
        min(counter) FILTER (WHERE status <> 'failed') AS oldest, min(at) FILTER (WHERE status <> 'failed') AS since,
        json_agg(counter ORDER BY counter) FILTER (WHERE status = 'failed') AS failed
      FROM tidemark.mutation WHERE status <> 'confirmed' AND squashed_into IS NULL) m`)
  return countsSchema.parse(rows[0])
}

const endedSchema = z.object({
  counter,
  rejection: z.nullable(jsonText(rejectionSchema)),
  discarded: z.boolean(),
})

/** The end of a mutation; `rejection` is null where it was confirmed or discarded. */
export interface Ended {
  readonly counter: number
  readonly rejection: Rejection | null
  /** True where it is gone. */
  readonly discarded: boolean
}

/** Reads which of these mutations have ended, and how. */
export async function readEnded(db: Executor, asked: readonly number[]): Promise<Ended[]> {
  const { rows } = await db.query(
    `SELECT asked.value::bigint AS counter, h.rejection, h.counter IS NULL AS discarded
     FROM json_array_elements_text($1::text::json) AS asked
     LEFT JOIN tidemark.mutation m ON m.counter = asked.value::bigint
     LEFT JOIN tidemark.mutation h ON h.counter = coalesce(m.squashed_into, m.counter)
     WHERE h.counter IS NULL OR h.status IN ('confirmed', 'failed')`,
    [JSON.stringify(asked)],
  )
  return rows.map((row) => endedSchema.parse(row))
}
