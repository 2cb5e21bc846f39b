export interface Duties {
  readonly nowMs: number
  /** No sockets since then; null while there are some. */
  readonly emptySinceMs: number | null
  readonly subscribed: boolean
  readonly leaseUntilMs: number
  readonly leaseMs: number
  /** Something failed and is to be tried again then. */
  readonly retryAtMs: number | null
  /** Idle sessions are to be told the head then. */
  readonly noticeAtMs: number | null
  /** The first expiry of a token. */
  readonly expiryAtMs: number | null
  /** The first socket that must have said hello by then, or have acknowledged. */
  readonly deadlineAtMs: number | null
  readonly lingerMs: number
}

/** When a lease is renewed: with a third of it to spare, so that a failed renewal can be tried again. */
export function renewalDueMs(leaseUntilMs: number, leaseMs: number): number {
  return leaseUntilMs - Math.floor(leaseMs / 3)
}

/** When the object must wake next; null when it may sleep until a message comes. Rule DIS-R10. */
export function nextAlarmMs(duties: Duties): number | null {
  if (duties.emptySinceMs !== null) return duties.subscribed ? duties.emptySinceMs + duties.lingerMs : null
  // After a failure everything that asks others waits for the retry.
  const notBefore = (atMs: number | null) => (atMs === null ? null : Math.max(atMs, duties.retryAtMs ?? atMs))
  const due = [
    notBefore(duties.subscribed ? renewalDueMs(duties.leaseUntilMs, duties.leaseMs) : null),
    notBefore(duties.noticeAtMs),
    duties.retryAtMs,
    duties.expiryAtMs,
    duties.deadlineAtMs,
  ].filter((atMs): atMs is number => atMs !== null)
  return due.length === 0 ? null : Math.min(...due)
}

/** Delay before the n-th retry (from 1), doubling to a bound; `jitter` in [0, 1) spreads it over the upper half. */
export function backoffMs(attempt: number, jitter: number, baseMs = 500, maxMs = 30_000): number {
  const capMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 16))
  return Math.floor(capMs / 2 + (capMs / 2) * jitter)
}
