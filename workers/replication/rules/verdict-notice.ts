import { backoffMs } from '../../backoff.ts'
import type { HealthCheck, ReplicationHealth } from '../../contracts.ts'

type Verdict = HealthCheck['status']

/** A change of the verdict that is to be told. */
export interface Notice {
  /** Names this change in each attempt to tell it, so that the receiver can leave out a repetition. */
  readonly id: string
  readonly status: Verdict
  /** JSON text; the same in each attempt. */
  readonly body: string
  readonly attempts: number
  readonly dueAtMs: number
}

/** What the webhook was told, and is still to be told. */
export interface NoticeState {
  readonly told: Verdict
  readonly toldAtMs: number
  readonly pending: Notice | null
}

/** Before anything was told: a receiver takes silence for `ok`. */
export const NOTHING_TOLD: NoticeState = { told: 'ok', toldAtMs: 0, pending: null }

/** Notices are this far apart, so that a verdict that goes to and fro is no flood. */
const APART_MS = 60_000
const MOST_ATTEMPTS = 8
const FIRST_RETRY_MS = 5_000
const LONGEST_RETRY_MS = 10 * 60_000

/**
 * Answers the state once this verdict is seen: the same object where nothing is to be told. A notice that was not sent yet goes by
 * the verdict of now; one that was sent stays until it has arrived or is given up.
 */
export function noteVerdict(
  state: NoticeState,
  { status, checks }: Pick<ReplicationHealth, 'status' | 'checks'>,
  now: number,
  id: string,
): NoticeState {
  const { told, toldAtMs, pending } = state
  if (pending !== null && (pending.attempts > 0 || pending.status === status)) return state
  if (status === told) return pending === null ? state : { ...state, pending: null }
  const ill = checks.filter((check) => check.status !== 'ok')
  const body = JSON.stringify({ id, status, before: told, at: new Date(now).toISOString(), checks: ill })
  return { ...state, pending: { id, status, body, attempts: 0, dueAtMs: Math.max(now, toldAtMs + APART_MS) } }
}

/** Answers the state once an attempt begins, which counts even where its end is never seen. */
export function beginAttempt(state: NoticeState, now: number, random: number): NoticeState {
  const { pending } = state
  if (pending === null) return state
  const attempts = pending.attempts + 1
  const dueAtMs = now + backoffMs(attempts, random, FIRST_RETRY_MS, LONGEST_RETRY_MS)
  return { ...state, pending: { ...pending, attempts, dueAtMs } }
}

/** Answers the state once an attempt has ended: told, given up after the last attempt, or to be tried again. */
export function endAttempt(state: NoticeState, hasArrived: boolean, now: number): NoticeState {
  const { pending } = state
  if (pending === null || (!hasArrived && pending.attempts < MOST_ATTEMPTS)) return state
  return { told: pending.status, toldAtMs: now, pending: null }
}
