/** Delay before the n-th retry (from 1), doubling to a bound; `jitter` in [0, 1) spreads it over the upper half. */
export function backoffMs(attempt: number, jitter: number, baseMs = 500, maxMs = 30_000): number {
  const capMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 16))
  return Math.floor(capMs / 2 + (capMs / 2) * jitter)
}
