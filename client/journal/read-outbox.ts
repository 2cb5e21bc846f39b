import { z } from 'zod'
import { type Definition, definitionSchema, type Rejection, rejectionSchema } from '../../protocol/index.ts'
import type { Executor } from '../store/copies.ts'
import type { JournalRecord } from './rules/records.ts'

const text = z.string().nullable()
const counter = z.coerce.number()

const madeSchema = z.object({
  counter,
  kind: z.enum(['patch', 'action']),
  origin: z.string(),
  name: text,
  args: text,
  at: z.string(),
  patch: text,
  request: text,
  predicted: text,
  rejection: text,
  took: z.array(counter),
  writes: z.array(
    z.object({
      table_id: z.string(),
      op: z.enum(['insert', 'update', 'delete']),
      key: z.string(),
      before: text,
      after: text,
    }),
  ),
})

const sinceSchema = z.object({ last: counter, hash: text, made: z.array(madeSchema) })

/** The outbox's mutations after a given number, as records. */
export interface MadeSince {
  /** The highest number given. */
  readonly last: number
  readonly records: readonly JournalRecord[]
  /** The hash of the definition under which unsealed mutations were captured; null where all are sealed. */
  readonly hash: string | null
}

const rejectionOf = (stored: string): Rejection => rejectionSchema.parse(JSON.parse(stored))

/** Reads, for the journal, all mutations after the number `seen` that wait for something. */
export async function readMadeSince(db: Pick<Executor, 'query'>, seen: number): Promise<MadeSince> {
  const { rows } = await db.query<{ made: string }>('SELECT tidemark.made_since($1) AS made', [seen])
  const { last, hash, made } = sinceSchema.parse(JSON.parse(rows[0]?.made ?? ''))
  const isCaptured = ({ kind, patch }: (typeof made)[number]) => kind === 'patch' && patch === null
  const records = made.flatMap((one): JournalRecord[] => {
    const { request, predicted, rejection, took, ...rest } = one
    const { counter: number } = one
    return [
      { t: 'made', ...rest, hash: isCaptured(one) ? hash : null },
      ...(request === null ? [] : [{ t: 'frozen', counter: number, request, predicted, took } as const]),
      ...(rejection === null ? [] : [{ t: 'failed', counter: number, rejection: rejectionOf(rejection) } as const]),
    ]
  })
  return { last, records, hash: made.some(isCaptured) ? hash : null }
}

/** Reads the definition of this hash, under which unsealed mutations were captured. */
export async function readCapturedUnder(db: Pick<Executor, 'query'>, hash: string): Promise<Definition> {
  const { rows } = await db.query<{ definition: string }>(
    `SELECT definition FROM tidemark.copy WHERE place = 'live' AND hash = $1`,
    [hash],
  )
  return definitionSchema.parse(JSON.parse(rows[0]?.definition ?? 'null'))
}

const endedSchema = z.array(z.object({ counter, status: text, rejection: text }))

/** Reads how these mutations ended or failed; those that did neither are left out. */
export async function readEnded(db: Pick<Executor, 'query'>, counters: Iterable<number>): Promise<JournalRecord[]> {
  const { rows } = await db.query<{ ended: string }>('SELECT tidemark.ended_of($1) AS ended', [
    JSON.stringify([...counters]),
  ])
  return endedSchema.parse(JSON.parse(rows[0]?.ended ?? '')).map((one): JournalRecord => {
    const { counter: number, status, rejection } = one
    if (status === 'failed' && rejection !== null)
      return { t: 'failed', counter: number, rejection: rejectionOf(rejection) }
    return { t: 'ended', counter: number, how: status === 'confirmed' ? 'confirmed' : 'gone' }
  })
}
