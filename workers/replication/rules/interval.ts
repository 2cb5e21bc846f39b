/** How often capture looks, in milliseconds. */
export interface ReplicationIntervals {
  /** While anybody subscribes. */
  readonly activeMs: number
  /** The longest pause without subscribers; far below the age at which Neon drops an idle slot (about 40 hours). */
  readonly idleMs: number
}

const DEFAULT_INTERVALS: ReplicationIntervals = { activeMs: 1_000, idleMs: 60 * 60_000 }
const LONGEST_IDLE_MS = 12 * 60 * 60_000
const SHORTEST_MS = 50
const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000
const LONGEST_QUIET_RETRY_MS = 5 * 60_000

export function boundedIntervals(asked: Partial<ReplicationIntervals> = {}): ReplicationIntervals {
  const within = (ms: number) => Math.min(Math.max(ms, SHORTEST_MS), LONGEST_IDLE_MS)
  const activeMs = within(asked.activeMs ?? DEFAULT_INTERVALS.activeMs)
  return { activeMs, idleMs: Math.max(activeMs, within(asked.idleMs ?? DEFAULT_INTERVALS.idleMs)) }
}

export interface Pace {
  readonly subscribers: number
  /** Since the last change, kick or subscriber. */
  readonly quietMs: number
  /** Cycles that failed in a row. */
  readonly failures: number
  /** 0 to 1. */
  readonly random: number
}

/** Pause before the next cycle: fast for subscribers, growing with the quiet without them, backing off after failures. */
export function nextPauseMs(pace: Pace, intervals: ReplicationIntervals): number {
  if (pace.failures > 0) {
    const longestMs = pace.subscribers > 0 ? LONGEST_RETRY_MS : LONGEST_QUIET_RETRY_MS
    const pauseMs = Math.min(longestMs, FIRST_RETRY_MS * 2 ** Math.min(pace.failures - 1, 20))
    return Math.round(pauseMs * (0.5 + pace.random / 2))
  }
  if (pace.subscribers > 0) return intervals.activeMs
  return Math.round(Math.min(Math.max(pace.quietMs / 2, intervals.activeMs), intervals.idleMs))
}
