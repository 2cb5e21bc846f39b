import type { ReplicationIntervals } from './interval.ts'

/** What decides whether capture waits inside Postgres between cycles. */
export interface WatchFacts {
  /** The app's own choice. */
  readonly wanted: boolean
  readonly subscribers: number
  /** Since the last change, push or new subscription. */
  readonly quietMs: number
  /** Cycles that failed in a row. */
  readonly failures: number
  /** Why it cannot be had here; null when nothing is known against it. */
  readonly obstacle: string | null
}

export interface WatchDecision {
  readonly on: boolean
  /** Why not; `on` when it is. */
  readonly reason: string
  /** It is wanted and cannot be had. */
  readonly degraded: boolean
}

/** Waits only for somebody, only while things happen, and never in place of a backoff. Rule CAP-R29. */
export function decideWatch(facts: WatchFacts, intervals: Pick<ReplicationIntervals, 'watchMs'>): WatchDecision {
  if (!facts.wanted) return off('switched off')
  if (facts.obstacle !== null) return { on: false, reason: facts.obstacle, degraded: true }
  if (facts.subscribers === 0) return off('nobody subscribes')
  if (facts.failures > 0) return off('the last cycle failed')
  if (facts.quietMs >= intervals.watchMs) return off('nothing has happened for long')
  return { on: true, reason: 'on', degraded: false }
}

const off = (reason: string): WatchDecision => ({ on: false, reason, degraded: false })

/** A connection pooler gives a transaction another server connection each time: nothing to wait on. */
export function isPooled(databaseUrl: string): boolean {
  return URL.canParse(databaseUrl) && (new URL(databaseUrl).hostname.split('.')[0] ?? '').endsWith('-pooler')
}
