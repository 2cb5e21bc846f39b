import { asLsn, type Lsn, type Outcome, type Rejection, rejectionSchema } from '../../../protocol/index.ts'
import type { Executor } from '../copies.ts'
import { confirmedNotice, OUTBOX_CHANNEL } from '../rules/outbox-notice.ts'
import { IS_UNSETTLED } from '../words-ddl.ts'
import { COUNTERS, listOf } from './counters.ts'

/** Confirms mutations whose commits are here by now, and removes their writes; listeners of the outbox are notified. */
export async function confirmMutations(
  tx: Executor,
  confirmed: readonly { readonly counter: number; readonly lsn: Lsn }[],
): Promise<void> {
  const rows = confirmed.map(({ counter, lsn }) => ({ counter, lsn }))
  const notice = confirmedNotice(confirmed.map(({ counter }) => counter))
  await endMutations(tx, `status = 'confirmed', effective = true, lsn = x.lsn`, rows, notice)
}

/** Fails mutations that are undone already, and removes their writes; listeners of the outbox are notified. */
export async function failMutations(tx: Executor, failed: ReadonlyMap<number, Rejection>): Promise<void> {
  const rows = [...failed].map(([counter, rejection]) => ({ counter, rejection: JSON.stringify(rejection) }))
  await endMutations(tx, `status = 'failed', effective = true, rejection = x.rejection`, rows, '')
}

async function endMutations(tx: Executor, change: string, ended: readonly object[], notice: string): Promise<void> {
  if (ended.length === 0) return
  await tx.query(
    `WITH x AS MATERIALIZED (
       SELECT * FROM json_to_recordset($1::text::json) AS x(counter bigint, lsn text, rejection text)),
     ended AS (UPDATE tidemark.mutation m SET ${change} FROM x WHERE m.counter = x.counter),
     gone AS (DELETE FROM tidemark.write WHERE counter IN (SELECT counter FROM x))
     SELECT pg_notify('${OUTBOX_CHANNEL}', $2)`,
    [JSON.stringify(ended), notice],
  )
}

/** Stores the server's outcomes of sent mutations. */
export async function keepOutcomes(db: Executor, outcomes: readonly Outcome[]): Promise<void> {
  await db.query(
    `UPDATE tidemark.mutation m SET outcome = known.value::text FROM json_array_elements($1::text::json) AS known
     WHERE m.counter = (known.value ->> 'counter')::bigint AND m.status = 'sent'`,
    [JSON.stringify(outcomes)],
  )
}

/** Forgets the server's outcomes of these mutations, so that they are sent again. */
export async function forgetOutcomes(db: Executor, counters: Iterable<number>): Promise<void> {
  await db.query(`UPDATE tidemark.mutation SET outcome = NULL WHERE counter IN ${COUNTERS('$1')}`, [listOf(counters)])
}

/** Notes of these mutations that they were sent and committed, as if the server had just answered it. */
export async function storeCommitted(tx: Executor, counters: Iterable<number>): Promise<void> {
  await tx.query(
    `UPDATE tidemark.mutation SET status = 'sent', sealed = true,
       outcome = json_build_object('counter', counter, 'status', 'committed')::text
     WHERE counter IN ${COUNTERS('$1')}`,
    [listOf(counters)],
  )
}

/** Makes a mutation that did nothing to the rows here one that failed, unless it is; nobody is notified. */
export async function storeFailed(tx: Executor, counter: number, rejection: Rejection): Promise<void> {
  await tx.query(
    `UPDATE tidemark.mutation SET status = 'failed', rejection = $2 WHERE counter = $1 AND status <> 'failed'`,
    [counter, JSON.stringify(rejection)],
  )
}

/** The outcome of a mutation and its place in the stream; `rejection` is null where it was committed. */
export interface PlacedOutcome {
  readonly lsn: Lsn
  readonly counter: number
  readonly rejection: Rejection | null
}

/** Keeps, for the join of a copy that is not shown yet, outcomes of frozen mutations. */
export async function keepOutcomesAside(tx: Executor, outcomes: readonly PlacedOutcome[]): Promise<void> {
  const rows = outcomes.map(({ lsn, counter, rejection }) => {
    return { lsn, counter, rejection: rejection && JSON.stringify(rejection) }
  })
  await tx.query(
    `UPDATE tidemark.mutation m SET aside_lsn = x.lsn, rejection = x.rejection
     FROM json_to_recordset($1::text::json) AS x(counter bigint, lsn text, rejection text)
     WHERE m.counter = x.counter AND m.request IS NOT NULL AND ${IS_UNSETTLED}`,
    [JSON.stringify(rows)],
  )
}

/** Reads the outcomes kept aside up to a place in the stream. */
export async function readOutcomesAside(tx: Executor, to: Lsn): Promise<PlacedOutcome[]> {
  const { rows } = await tx.query<{ counter: number | string; aside_lsn: string; rejection: string | null }>(
    `SELECT counter, aside_lsn, rejection FROM tidemark.mutation WHERE aside_lsn <= $1 AND ${IS_UNSETTLED}`,
    [to],
  )
  return rows.map(({ counter, aside_lsn, rejection }) => ({
    lsn: asLsn(aside_lsn),
    counter: Number(counter),
    rejection: rejection === null ? null : rejectionSchema.parse(JSON.parse(rejection)),
  }))
}

/** Forgets the outcomes kept aside, because the copy that they were for is given up. */
export async function forgetOutcomesAside(tx: Executor): Promise<void> {
  await tx.exec('UPDATE tidemark.mutation SET aside_lsn = NULL WHERE aside_lsn IS NOT NULL')
}
