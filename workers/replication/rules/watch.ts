import type { ReplicationIntervals } from './interval.ts'

/** The facts that decide whether capture waits inside Postgres between cycles. */
export interface WatchFacts {
  /** The app's own choice. */
  readonly wanted: boolean
  /** True where an operator has capture stand still. */
  readonly paused: boolean
  readonly subscribers: number
  /** The time since the last change, push or new subscription. */
  readonly quietMs: number
  /** The number of cycles that failed in a row. */
  readonly failures: number
  /** The reason why a wait cannot be had here; null when none is known. */
  readonly obstacle: string | null
}

export interface WatchDecision {
  readonly on: boolean
  /** The reason why capture does not wait; `on` when it does. */
  readonly reason: string
  /** True where a wait is wanted and cannot be had. */
  readonly degraded: boolean
}

/** Decides for a wait only with subscribers, while things happen, and never in place of a backoff. Rule CAP-R29. */
export function decideWatch(facts: WatchFacts, intervals: Pick<ReplicationIntervals, 'watchMs'>): WatchDecision {
  if (!facts.wanted) return off('switched off')
  if (facts.paused) return off('capture is paused')
  if (facts.obstacle !== null) return { on: false, reason: facts.obstacle, degraded: true }
  if (facts.subscribers === 0) return off('nobody subscribes')
  if (facts.failures > 0) return off('the last cycle failed')
  if (facts.quietMs >= intervals.watchMs) return off('nothing has happened for long')
  return { on: true, reason: 'on', degraded: false }
}

const off = (reason: string): WatchDecision => ({ on: false, reason, degraded: false })

/** Recognizes a connection pooler: each transaction gets another server connection there, so that none can wait. */
export function isPooled(databaseUrl: string): boolean {
  return URL.canParse(databaseUrl) && (new URL(databaseUrl).hostname.split('.')[0] ?? '').endsWith('-pooler')
}
