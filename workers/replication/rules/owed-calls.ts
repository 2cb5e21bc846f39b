/**
 * Keeps, without asking Postgres, whether calls of `onCommitted` may still be owed to the app. The first commit after
 * somebody asked counts `mark` up; an answer settles only the number under which it was asked.
 */
export interface OwedCalls {
  readonly mark: number
  readonly asked: number
  readonly settled: number
  /** The time at which the calls that were left are due; null where none were. */
  readonly dueAtMs: number | null
}

/** Calls may have been queued before anybody counted, and are owed. */
export const FIRST_OWED: OwedCalls = { mark: 1, asked: 0, settled: 0, dueAtMs: null }

/** Notes that a mutation was committed; answers the same object where that says nothing new. */
export const noteCommit = (calls: OwedCalls): OwedCalls =>
  calls.asked === calls.mark ? { ...calls, mark: calls.mark + 1 } : calls

/** Answers the number under which to ask Postgres; null where nothing is owed now. */
export function owedMark({ mark, settled, dueAtMs }: OwedCalls, nowMs: number): number | null {
  if (settled < mark) return mark
  return dueAtMs !== null && dueAtMs <= nowMs ? mark : null
}

export const askedAt = (calls: OwedCalls, mark: number): OwedCalls =>
  calls.asked === mark ? calls : { ...calls, asked: mark }

/** Notes that all calls queued under this number are made, but for those due at `dueAtMs`. */
export const settleCalls = (calls: OwedCalls, mark: number, dueAtMs: number | null): OwedCalls =>
  mark < calls.settled ? calls : { ...calls, settled: mark, dueAtMs }
