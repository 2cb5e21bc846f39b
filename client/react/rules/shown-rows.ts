import type { LiveRows } from '../../live/live-rows.ts'

/** What a component shows of a live query. */
export interface ShownRows<Row> {
  /** Null until there are any. Rows that stayed as they were are the same objects as before. */
  readonly rows: readonly Row[] | null
  /** The fault of the last run; null when it went well. Rows of before may stand beside it. */
  readonly error: Error | null
  /** True while the rows are of earlier parameters, or those that came with the page. */
  readonly isStale: boolean
}

/** Tells what to show: what the query answers, and until it does, what came with the page or was there before. */
export function shownRows<Row>({
  live,
  initial,
  kept,
}: {
  readonly live: LiveRows<Row>
  /** The rows that came with the page; null where none did, or once they are of before what the query answers. */
  readonly initial: readonly Row[] | null
  /** The rows shown before, of whatever parameters. */
  readonly kept: readonly Row[] | null
}): ShownRows<Row> {
  const hasAnswer = live.rows !== null || live.error !== null
  if (hasAnswer && initial === null) return { rows: live.rows, error: live.error, isStale: false }
  const rows = initial ?? kept
  return { rows, error: null, isStale: rows !== null }
}
