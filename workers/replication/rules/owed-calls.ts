/**
 * Whether the app may still have to be told of commits, known without asking Postgres. Each commit seen after somebody has asked
 * counts up; what was asked under a number settles that number alone.
 */
export interface OwedCalls {
  readonly mark: number
  readonly asked: number
  readonly settled: number
  /** When what was left is due; null where nothing was. */
  readonly dueAtMs: number | null
}

/** What was queued before anybody counted is owed. */
export const FIRST_OWED: OwedCalls = { mark: 1, asked: 0, settled: 0, dueAtMs: null }

/** A mutation was committed. The same object where that says nothing new. */
export const noteCommit = (calls: OwedCalls): OwedCalls =>
  calls.asked === calls.mark ? { ...calls, mark: calls.mark + 1 } : calls

/** The number to ask Postgres under; null where nothing is owed now. */
export function owedMark({ mark, settled, dueAtMs }: OwedCalls, nowMs: number): number | null {
  if (settled < mark) return mark
  return dueAtMs !== null && dueAtMs <= nowMs ? mark : null
}

export const askedAt = (calls: OwedCalls, mark: number): OwedCalls =>
  calls.asked === mark ? calls : { ...calls, asked: mark }

/** All that was queued under this number is made, but for what is due then. */
export const settleCalls = (calls: OwedCalls, mark: number, dueAtMs: number | null): OwedCalls =>
  mark < calls.settled ? calls : { ...calls, settled: mark, dueAtMs }
