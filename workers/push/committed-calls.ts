import { TidemarkError } from '../../protocol/index.ts'
import type { AppEnv } from '../access/access.ts'
import { REPLICATION_NAME } from '../contracts.ts'
import { type Database, withDatabase } from '../database/index.ts'
import type { DatabaseEnv, SyncEnv } from '../env.ts'
import { log } from '../log.ts'
import type { CommittedMutation, OnCommitted } from './options.ts'

/** The most calls of one run; the rest is left to the next push, or to the cron trigger. */
const CALLS_A_RUN = 100
const BATCH = 10

/**
 * Takes calls that are due and puts them off by 30 s doubling to an hour, and by up to half of that more, so that nobody else makes
 * them meanwhile and those that failed together are not all made again at once.
 */
const TAKE = `
  UPDATE tidemark.committed_call c
  SET attempts = attempts + 1, due_at = now() + (1 + random() / 2) * least(interval '1 hour', interval '30 seconds' * 2 ^ least(attempts, 10))
  WHERE (client_id, counter) IN (
    SELECT client_id, counter FROM tidemark.committed_call WHERE due_at <= now() ORDER BY due_at LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
  RETURNING client_id, counter::text, mutation::text`

const DONE = 'DELETE FROM tidemark.committed_call WHERE client_id = $1 AND counter = $2::bigint'

/**
 * Reads when the next call is due. Calls that a transaction in progress queues are not seen yet: then `whole` is false.
 */
const LEFT = `
  SELECT floor(extract(epoch FROM min(due_at)) * 1000)::text AS due,
    (pg_snapshot_xmin(pg_current_snapshot()) = pg_snapshot_xmax(pg_current_snapshot()))::text AS whole
  FROM tidemark.committed_call`

/** Does what `callCommitted` does, but only where capture or a push has seen a commit since nothing was left. */
export async function callOwed(env: SyncEnv, onCommitted: OnCommitted): Promise<void> {
  const replication = env.REPLICATION.getByName(REPLICATION_NAME)
  const mark = await replication.owedCalls()
  if (mark === null) return
  const { isWhole, dueAtMs } = await callCommitted(env, onCommitted)
  if (isWhole) await replication.settleCalls(mark, dueAtMs)
}

/**
 * Calls the app for committed mutations that are due, each at least once; a call that throws is made again later.
 * Answers what is left.
 */
export async function callCommitted(
  env: DatabaseEnv,
  onCommitted: OnCommitted,
): Promise<{ isWhole: boolean; dueAtMs: number | null }> {
  const app: AppEnv = { ...env }
  return withDatabase(
    env,
    async (database) => {
      for (let called = 0; called < CALLS_A_RUN; called += BATCH) {
        const rows = await database.query(TAKE)
        await Promise.all(rows.map((row) => call(database, row, onCommitted, app)))
        if (rows.length < BATCH) break
      }
      const [left] = await database.query(LEFT)
      return { isWhole: left?.whole === 'true', dueAtMs: left?.due == null ? null : Number(left.due) }
    },
    { applicationName: 'tidemark committed' },
  )
}

async function call(
  { query }: Database,
  row: Readonly<Record<string, string | null>>,
  onCommitted: OnCommitted,
  env: AppEnv,
): Promise<void> {
  try {
    // Written by the push, in the transaction of the mutation.
    const mutation: CommittedMutation = JSON.parse(row.mutation ?? 'null')
    await onCommitted(mutation, env)
  } catch (error) {
    const why = error instanceof TidemarkError || error instanceof Error ? error.message : 'it threw no Error'
    const { client_id: client = '', counter } = row
    const message = `onCommitted failed and is called again later: ${why}`
    log(env, 'committed-call-failed', { mutation: `${client}:${counter}`, client, message })
    return
  }
  await query(DONE, [row.client_id ?? null, row.counter ?? null])
}
