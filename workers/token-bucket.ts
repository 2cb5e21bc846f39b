/** A rate: `burst` at once, then one more each `refillMs`. */
export interface Rate {
  readonly burst: number
  readonly refillMs: number
}

export interface Bucket {
  readonly tokens: number
  readonly atMs: number
}

export function fullBucket(rate: Rate, nowMs: number): Bucket {
  return { tokens: rate.burst, atMs: nowMs }
}

/** Answers the bucket after one more use, or null when none is left. A clock that goes back refills nothing. */
export function takeToken(bucket: Bucket, rate: Rate, nowMs: number): Bucket | null {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs)
  const tokens = Math.min(rate.burst, bucket.tokens + elapsedMs / rate.refillMs)
  if (tokens < 1) return null
  return { tokens: tokens - 1, atMs: Math.max(nowMs, bucket.atMs) }
}
