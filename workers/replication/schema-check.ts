import { ALTERED_TABLES } from '../../db/definition/table-shape.ts'
import type { Query } from '../../db/query.ts'
import { TidemarkError } from '../../protocol/index.ts'

/** SQL: a version after the one in parameter `known` has tables that were altered at an unknown place below it. */
export const unplacedBeyond = (known: string) =>
  `EXISTS (SELECT FROM tidemark.table_shape WHERE unplaced AND version > ${known}::bigint)`

/** SQL: a transaction in parameter `xids`, a JSON array of 64-bit ids, is not visible to this statement. */
export const unseenAmong = (xids: string) =>
  `EXISTS (SELECT FROM json_array_elements_text(${xids}::text::json) AS told
    WHERE NOT pg_visible_in_snapshot(told.value::xid8, pg_current_snapshot()))`

/** The longest that a batch waits for its transactions to be visible, and the pauses between its looks. */
const UNSEEN_MS = 5_000
const LONGEST_PAUSE_MS = 64

/**
 * Asks until the answer is of a statement that sees the decoded transactions; `ask` answers null until then.
 *
 * The log shows a commit before others see it, as long as the commit waits for a standby. Until then the catalogue
 * clears nothing. Throws `unavailable` after five seconds.
 */
export async function onceSeen<Answer>(ask: () => Promise<Answer | null>): Promise<Answer> {
  let waitedMs = 0
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const answer = await ask()
    if (answer !== null) return answer
    if (waitedMs >= UNSEEN_MS)
      throw new TidemarkError('unavailable', 'A commit is in the log and not visible yet: does it wait for a standby?')
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    waitedMs += pauseMs
  }
}

/**
 * Throws `schema-drift` where a table was altered behind our back: it may have changed without a trace in what was decoded, so
 * nothing of that may be stored. `unplacedTo` is the last known version below which a table was altered at an unknown
 * place; `xids` are the decoded transactions as 64-bit ids. Throws `unavailable` where a later such version came.
 */
export async function requireSchema(query: Query, unplacedTo: number, xids: readonly string[]): Promise<void> {
  const row = await onceSeen(async () => {
    const [found] = await query(
      `SELECT (EXISTS (${ALTERED_TABLES}))::text AS altered, ${unplacedBeyond('$1')}::text AS beyond,
         ${unseenAmong('$2')}::text AS unseen`,
      [unplacedTo, JSON.stringify(xids)],
    )
    return found?.unseen === 'true' ? null : found
  })
  if (row?.altered === 'true') throw new TidemarkError('schema-drift', 'A synced table was altered.')
  if (row?.beyond === 'true')
    throw new TidemarkError('unavailable', 'The sync definition changed while the log was read; it is read again.')
}
