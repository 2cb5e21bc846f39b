import type { ErrorKind } from '../../../protocol/index.ts'

/** Loads of one version that may fail in a row for reasons of their own, before only the app has them tried again. */
const MOST_FAILURES = 6

/** Faults that say nothing of the load: another moment is all that they ask for. */
const PASSING: ReadonlySet<ErrorKind> = new Set(['unavailable', 'rate-limited', 'stalled'])

/** The loads of one version that failed here, one after another. */
export interface FailedLoads {
  /** All of them, by which the pauses grow. */
  readonly count: number
  /** Those that failed for reasons of their own. */
  readonly lasting: number
}

export const NO_FAILED_LOADS: FailedLoads = { count: 0, lasting: 0 }

export function countFailure({ count, lasting }: FailedLoads, kind: ErrorKind): FailedLoads {
  return { count: count + 1, lasting: lasting + (PASSING.has(kind) ? 0 : 1) }
}

/** Says whether the next load would meet what the last ones met, so that nothing but the app begins one. */
export const isGivenUp = ({ lasting }: FailedLoads): boolean => lasting >= MOST_FAILURES
