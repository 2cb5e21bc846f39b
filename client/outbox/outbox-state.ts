import { z } from 'zod'
import { rejectionSchema } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import type { Settled } from './confirmations.ts'

const countsSchema = z.object({
  last: z.coerce.number(),
  pending: z.coerce.number(),
  newest: z.coerce.number(),
  oldest: z.coerce.number().nullable(),
  failed: z.array(z.coerce.number()),
})

const COUNTS = `
  SELECT o.counter AS last, m.pending, coalesce(m.newest, 0) AS newest, m.oldest, coalesce(m.failed, '[]') AS failed
  FROM tidemark.owner o, (
    SELECT count(*) FILTER (WHERE status <> 'failed') AS pending, max(counter) FILTER (WHERE status <> 'failed' AND outcome IS NULL) AS newest,
      min(counter) FILTER (WHERE status <> 'failed') AS oldest,
      json_agg(counter ORDER BY counter) FILTER (WHERE status = 'failed') AS failed
    FROM tidemark.mutation WHERE status <> 'confirmed' AND squashed_into IS NULL) m`

/** Selects those of the mutations asked for that have ended; one that is gone was discarded. */
const SETTLED = `
  SELECT asked.value::bigint AS counter, h.status, h.rejection, h.counter IS NULL AS discarded
  FROM json_array_elements_text($1::text::json) AS asked
  LEFT JOIN tidemark.mutation m ON m.counter = asked.value::bigint
  LEFT JOIN tidemark.mutation h ON h.counter = coalesce(m.squashed_into, m.counter)
  WHERE h.counter IS NULL OR h.status IN ('confirmed', 'failed')`

const settledSchema = z.object({
  counter: z.coerce.number(),
  status: z.string().nullable(),
  rejection: z.string().nullable(),
  discarded: z.boolean(),
})

const DISCARDED = { kind: 'refused', code: 'discarded', message: 'It was discarded here.' } as const

/** Reads the last mutation made, how many wait, the newest without an outcome, the oldest unsettled, and the failed. */
export async function readCounts(db: Executor): Promise<z.infer<typeof countsSchema>> {
  const { rows } = await db.query(COUNTS)
  return countsSchema.parse(rows[0])
}

/** Reads which of these mutations are settled, and how. */
export async function readSettled(db: Executor, waiting: readonly number[]): Promise<Settled[]> {
  const { rows } = await db.query(SETTLED, [JSON.stringify(waiting)])
  return rows.map((row) => {
    const { counter, rejection, discarded } = settledSchema.parse(row)
    if (discarded) return { counter, rejection: DISCARDED }
    return { counter, rejection: rejection === null ? null : rejectionSchema.parse(JSON.parse(rejection)) }
  })
}
