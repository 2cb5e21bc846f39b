import { z } from 'zod'
import {
  type OutcomesAnswer,
  outcomesRequestSchema,
  parsePgLsn,
  rejectionSchema,
  TidemarkError,
  ZERO_LSN,
} from '../../protocol/index.ts'
import { REPLICATION_NAME, type Session } from '../contracts.ts'
import { type Database, textArray, withDatabase } from '../database/index.ts'
import type { SyncEnv } from '../env.ts'
import { checkProtocol } from './rules/parse-mutation.ts'

interface Found {
  readonly epoch: string
  readonly floor: number
  readonly rows: readonly { readonly counter: number; readonly rejection: string | null; readonly lsn: string | null }[]
}

/**
 * Answers the outcomes of a client's mutations, and where in the stream each stands.
 *
 * Throws `bad-input`, `upgrade-required`, `forbidden` for another user's client, and `unavailable` while capture cannot
 * say where a decided one stands.
 */
export async function answerOutcomes(env: SyncEnv, session: Session, body: unknown): Promise<OutcomesAnswer> {
  checkProtocol(body)
  const { data } = outcomesRequestSchema.safeParse(body)
  if (!data) throw new TidemarkError('bad-input', 'This asks for no outcomes: { protocol, client, counters }.')
  return withDatabase(
    env,
    async (database) => {
      let found = await readOutcomes(database, session.userId, data.client, data.counters)
      if (found.rows.some((row) => row.lsn === null)) {
        // After this all that is decided is captured: what history still lacks is of an earlier epoch, or below its
        // floor.
        await env.REPLICATION.getByName(REPLICATION_NAME).freshHead(null)
        const decided = found.rows.map(({ counter }) => counter)
        found = await readOutcomes(database, session.userId, data.client, decided)
      }
      return answerOf(found, data.counters)
    },
    { applicationName: 'tidemark outcomes' },
  )
}

const OUTCOMES = `
  SELECT e.id AS epoch, c.user_id, c.mutation_floor::text AS floor, m.counter::text AS counter, m.rejection::text AS rejection,
    (SELECT max(h.lsn)::text FROM tidemark.change_history h
      WHERE h.client_id = m.client_id AND h.mutation_id = m.client_id || ':' || m.counter AND h.epoch = e.id
        AND h.operation = 'mutation') AS lsn
  FROM tidemark.epoch e
  LEFT JOIN tidemark.client c ON c.id = $1
  LEFT JOIN tidemark.mutation m ON m.client_id = c.id AND m.counter = ANY ($2::bigint[])
  WHERE e.ended_at IS NULL ORDER BY m.counter`

async function readOutcomes(
  { query }: Database,
  userId: string,
  client: string,
  counters: readonly number[],
): Promise<Found> {
  const rows = await query(OUTCOMES, [client, textArray(counters.map(String))])
  const [first] = rows
  if (!first) throw new TidemarkError('unavailable', 'Capture has not begun a history yet; try again soon.')
  // A client that was never seen has no outcomes; it is bound to its user when it connects or pushes.
  if (first.user_id != null && first.user_id !== userId)
    throw new TidemarkError('forbidden', 'This client id is not yours; make a new one.')
  const decided = rows.filter((row) => row.counter != null)
  return {
    epoch: first.epoch ?? '',
    floor: Number(first.floor ?? 0),
    rows: decided.map((row) => ({
      counter: Number(row.counter),
      rejection: row.rejection ?? null,
      lsn: row.lsn ?? null,
    })),
  }
}

const storedRejection = z.string().transform((text) => rejectionSchema.parse(JSON.parse(text)))

function answerOf({ epoch, floor, rows }: Found, counters: readonly number[]): OutcomesAnswer {
  const outcomes: OutcomesAnswer['outcomes'] = rows.map(({ counter, rejection, lsn }) => ({
    outcome:
      rejection === null
        ? { counter, status: 'committed' }
        : { counter, status: 'rejected', rejection: storedRejection.parse(rejection) },
    lsn: lsn === null ? ZERO_LSN : parsePgLsn(lsn),
  }))
  // Only a replica that was copied or set back asks for mutations whose outcomes it had acknowledged.
  for (const counter of new Set(counters)) {
    if (counter <= floor) outcomes.push({ outcome: { counter, status: 'settled' }, lsn: ZERO_LSN })
  }
  return { epoch, outcomes }
}
