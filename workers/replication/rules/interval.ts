import { backoffMs } from '../../backoff.ts'

/** The pauses between cycles, and related times, in milliseconds. */
export interface ReplicationIntervals {
  /** The pause while anybody subscribes and something happens. */
  readonly activeMs: number
  /** The longest pause without subscribers; far below the age at which Neon drops an idle slot (about 40 hours). */
  readonly idleMs: number
  /** Without a change, a push or a new subscription for this long, waiting inside Postgres ends and polling slows down. */
  readonly watchMs: number
  /** The longest pause while somebody subscribes but nothing happens; above Neon's five minutes, so that it may sleep. */
  readonly quietMs: number
  /** Capture that stands still for a table that was altered goes on without a migration after this long. */
  readonly driftWaitMs: number
}

export const DEFAULT_INTERVALS: ReplicationIntervals = {
  activeMs: 1_000,
  idleMs: 60 * 60_000,
  watchMs: 5 * 60_000,
  quietMs: 10 * 60_000,
  driftWaitMs: 60 * 60_000,
}
/** The alarm behind a wait comes after this long, and takes over where the wait is lost. */
const WATCHDOG_MS = 15_000
/** While somebody subscribes, a pause is at most the quiet so far divided by this. */
const QUIET_SHARE = 10
const LONGEST_IDLE_MS = 12 * 60 * 60_000
const SHORTEST_MS = 50
const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000
const LONGEST_QUIET_RETRY_MS = 5 * 60_000

export function boundedIntervals(asked: Partial<ReplicationIntervals> = {}): ReplicationIntervals {
  const within = (ms: number) => Math.min(Math.max(ms, SHORTEST_MS), LONGEST_IDLE_MS)
  const activeMs = within(asked.activeMs ?? DEFAULT_INTERVALS.activeMs)
  return {
    activeMs,
    idleMs: Math.max(activeMs, within(asked.idleMs ?? DEFAULT_INTERVALS.idleMs)),
    watchMs: Math.max(0, asked.watchMs ?? DEFAULT_INTERVALS.watchMs),
    quietMs: Math.max(activeMs, within(asked.quietMs ?? DEFAULT_INTERVALS.quietMs)),
    driftWaitMs: within(asked.driftWaitMs ?? DEFAULT_INTERVALS.driftWaitMs),
  }
}

export interface Pace {
  readonly subscribers: number
  /** The time since the last change, kick or subscriber. */
  readonly quietMs: number
  /** The number of cycles that failed in a row. */
  readonly failures: number
  /** True where a wait inside Postgres is under way or about to begin, which brings the next cycle. */
  readonly watching: boolean
  /** A random number from 0 to 1. */
  readonly random: number
}

/** Answers the pause before the next cycle: short for subscribers, longer with quiet and failures. Rule CAP-R27. */
export function nextPauseMs(pace: Pace, intervals: ReplicationIntervals): number {
  if (pace.failures > 0) {
    const longestMs = pace.subscribers > 0 ? LONGEST_RETRY_MS : LONGEST_QUIET_RETRY_MS
    return backoffMs(pace.failures, pace.random, FIRST_RETRY_MS, longestMs)
  }
  if (pace.watching) return WATCHDOG_MS
  if (pace.subscribers > 0) {
    if (pace.quietMs < intervals.watchMs) return intervals.activeMs
    return Math.round(Math.min(Math.max(pace.quietMs / QUIET_SHARE, intervals.activeMs), intervals.quietMs))
  }
  return Math.round(Math.min(Math.max(pace.quietMs / 2, intervals.activeMs), intervals.idleMs))
}
