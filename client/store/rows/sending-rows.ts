import * as z from 'zod/mini'
import { type PatchRow, type PredictedChange, patchRowSchema } from '../../../protocol/index.ts'
import type { Executor } from '../copies.ts'
import { IS_UNSETTLED } from '../words-ddl.ts'
import { COUNTERS, listOf } from './counters.ts'
import { jsonText } from './json-text.ts'
import { storedWrite, type WriteRow } from './write-rows.ts'

const patch = z.nullable(jsonText(z.array(patchRowSchema)))
const counter = z.coerce.number()

const freshSchema = z.object({
  counter,
  kind: z.enum(['patch', 'action']),
  sealed: z.boolean(),
  effective: z.boolean(),
  origin: z.string(),
  /** The tab that made it; null where there are no tabs. */
  tab: z.nullable(z.string()),
  patch,
})

const waitingSchema = z.object({
  counter,
  kind: z.enum(['patch', 'action']),
  name: z.nullable(z.string()),
  args: z.nullable(z.string()),
  /** JSON: the keys that an action took by itself, by sequence. */
  keys: z.nullable(z.string()),
  at: z.string(),
  patch,
  request: z.nullable(z.string()),
})

/** A mutation that waits to be sent, frozen where `request` is not null. */
export type WaitingMutation = z.infer<typeof waitingSchema>

/** The answer of `tidemark.unsent`; its writes are our own rows, as they are stored. */
const unsentSchema = z.object({
  last: z.number(),
  fresh: z.array(freshSchema),
  writes: z.pipe(
    z.array(z.custom<WriteRow>()),
    z.transform((rows: WriteRow[]) => rows.map(storedWrite)),
  ),
  waiting: z.array(waitingSchema),
})

/**
 * The mutations without an outcome, at most some, and the last number given. Where there are some after the number that
 * was seen: also all that were never sent, with their writes, and what those sent made and removed.
 */
export type UnsentMutations = z.infer<typeof unsentSchema>

/** Reads what a push may send, and what is to be looked at of mutations after the number `seen`. */
export async function readUnsent(tx: Executor, seen: number, most: number): Promise<UnsentMutations> {
  const { rows } = await tx.query<{ unsent: string }>('SELECT tidemark.unsent($1, $2) AS unsent', [seen, most])
  return unsentSchema.parse(JSON.parse(rows[0]?.unsent ?? ''))
}

/** Freezes these requests, and answers the counter up to which outcomes are never asked for again. */
export async function freezeRequests(
  tx: Executor,
  requests: readonly {
    readonly counter: number
    readonly text: string
    readonly predicted: readonly PredictedChange[] | null
  }[],
): Promise<number> {
  const kept = requests.map(({ counter: number, text, predicted }) => ({
    counter: number,
    request: text,
    predicted: predicted && JSON.stringify(predicted),
  }))
  const { rows } = await tx.query<{ acknowledged: number | string }>('SELECT tidemark.freeze($1) AS acknowledged', [
    JSON.stringify(kept),
  ])
  return Number(rows[0]?.acknowledged ?? 0)
}

/** Reads the mutations squashed into each of these; those that hold no others are left out. */
export async function readSquashed(tx: Executor, heads: Iterable<number>): Promise<Map<number, number[]>> {
  const { rows } = await tx.query<{ head: number | string; counter: number | string }>(
    `SELECT squashed_into AS head, counter FROM tidemark.mutation WHERE squashed_into IN ${COUNTERS('$1')}`,
    [listOf(heads)],
  )
  const squashed = Map.groupBy(rows, ({ head }) => Number(head))
  return new Map([...squashed].map(([head, own]) => [head, own.map((one) => Number(one.counter))]))
}

/** Squashes mutations into another: their writes become its own, and they end as it does. */
export async function squashMutations(tx: Executor, head: number, squashed: Iterable<number>): Promise<void> {
  const parameters = [head, listOf(squashed)]
  await tx.query(`UPDATE tidemark.write SET counter = $1 WHERE counter IN ${COUNTERS('$2')}`, parameters)
  await tx.query(
    `UPDATE tidemark.mutation SET squashed_into = $1, status = 'confirmed'
     WHERE counter IN ${COUNTERS('$2')} OR squashed_into IN ${COUNTERS('$2')}`,
    parameters,
  )
}

/** Stores a squash; the patch is confirmed where no rows are left of it. */
export async function keepSquash(
  tx: Executor,
  squash: { readonly counter: number; readonly squashed: readonly number[]; readonly rows: readonly PatchRow[] },
): Promise<void> {
  const { counter: head, squashed, rows } = squash
  await tx.query('UPDATE tidemark.mutation SET patch = $2 WHERE counter = $1', [head, JSON.stringify(rows)])
  if (squashed.length > 0) {
    await squashMutations(tx, head, squashed)
    for (const statement of NET_WRITES) await tx.query(statement, [head])
  }
  if (rows.length > 0) return
  await tx.query(`UPDATE tidemark.mutation SET status = 'confirmed' WHERE counter = $1`, [head])
  await tx.query('DELETE FROM tidemark.write WHERE counter = $1', [head])
}

/** Leave one write of each row, from its first image to its last, or none: others are based on its last state. */
const NET_WRITES = [
  `UPDATE tidemark.write f SET after = l.after,
     op = CASE WHEN f.before IS NULL THEN 'insert' WHEN l.after IS NULL THEN 'delete' ELSE 'update' END
   FROM (SELECT min(position) AS first, max(position) AS last FROM tidemark.write WHERE counter = $1 GROUP BY table_id, key) n
   JOIN tidemark.write l ON l.position = n.last WHERE f.position = n.first AND n.first < n.last`,
  `DELETE FROM tidemark.write WHERE counter = $1 AND position NOT IN (
     SELECT min(position) FROM tidemark.write WHERE counter = $1 GROUP BY table_id, key)`,
  'DELETE FROM tidemark.write WHERE counter = $1 AND before IS NOT DISTINCT FROM after',
]

/** Reads the numbers of mutations that were sent and are unsettled, in counter order. */
export async function readSent(db: Executor): Promise<number[]> {
  const { rows } = await db.query<{ counter: number | string }>(
    `SELECT counter FROM tidemark.mutation WHERE status = 'sent' AND ${IS_UNSETTLED} ORDER BY counter`,
  )
  return rows.map((row) => Number(row.counter))
}

/** Answers whether a mutation was sent whose outcome the stream has not brought. */
export async function hasSent(db: Executor): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM tidemark.mutation WHERE status = 'sent' AND ${IS_UNSETTLED}) AS found`,
  )
  return rows[0]?.found === true
}
