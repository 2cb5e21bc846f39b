import { TidemarkError } from '../../protocol/index.ts'
import type { Executor } from '../replica/books.ts'
import type { Outbox, OutcomeSource } from './outbox.ts'

/**
 * Asks what became of the mutations that were sent, for a copy of this epoch whose rows may hold their commits already.
 *
 * To be called once its snapshots are known: what is committed later comes by its stream. Rejects with TidemarkError.
 */
export async function settleForJoin(
  { db, outbox, ask }: { readonly db: Executor; readonly outbox: Outbox; readonly ask: OutcomeSource },
  epoch: string,
  signal: AbortSignal,
): Promise<void> {
  const { rows } = await db.query<{ counter: number | string }>(
    `SELECT counter FROM tidemark.mutation WHERE status = 'sent' ORDER BY counter`,
  )
  if (rows.length === 0) return
  const answer = await ask(
    rows.map(({ counter }) => Number(counter)),
    signal,
  )
  if (answer.epoch !== epoch)
    throw new TidemarkError('unavailable', 'The history changed during the load; reconnecting.')
  await outbox.settleAtJoin(answer.outcomes)
}
