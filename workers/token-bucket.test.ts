import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bucket, fullBucket, takeToken } from './token-bucket.ts'

const rate = { burst: 3, refillMs: 100 }

/** Counts the tries, each at its time, that succeed. */
function taken(times: readonly number[], bucket: Bucket = fullBucket(rate, 0)): boolean[] {
  let left = bucket
  return times.map((at) => {
    const next = takeToken(left, rate, at)
    left = next ?? left
    return next !== null
  })
}

describe('a rate', () => {
  test('DIS-R13 allows its burst at once, then one each interval', () => {
    expect(taken([0, 0, 0, 0])).toEqual([true, true, true, false])
    expect(taken([0, 0, 0, 99, 100, 100, 199, 200])).toEqual([true, true, true, false, true, false, false, true])
  })

  test('DIS-R13 never saves up more than its burst', () => {
    expect(taken([1e9, 1e9, 1e9, 1e9])).toEqual([true, true, true, false])
  })

  test('DIS-R13 counts parts of an interval, however often it was asked in vain', () => {
    expect(taken([0, 0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100])).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      false,
      false,
      false,
      true,
    ])
  })

  test('SEC-12 DIS-R13 is not refilled twice by a clock that goes back and forth', () => {
    expect(taken([1_000, 1_000, 1_000, 0, 1_000, 500, 1_000])).toEqual([true, true, true, false, false, false, false])
  })

  test('SEC-12 DIS-R13 never allows more than its burst and its refill, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: 100 }), { maxLength: 200 }), (steps) => {
        const bounded = { burst: 5, refillMs: 20 }
        const times: number[] = []
        for (const step of steps) times.push((times.at(-1) ?? 1_000) + step)
        let bucket = fullBucket(bounded, 1_000)
        let allowed = 0
        for (const at of times) {
          const next = takeToken(bucket, bounded, at)
          if (next === null) continue
          bucket = next
          allowed += 1
        }
        expect(allowed).toBeLessThanOrEqual(5 + (Math.max(1_000, ...times) - 1_000) / 20)
      }),
    )
  })

  test('a refusal leaves the bucket as it was', () => {
    const empty: Bucket = { tokens: 0.5, atMs: 0 }
    expect(takeToken(empty, rate, 0)).toBeNull()
    expect(empty).toEqual({ tokens: 0.5, atMs: 0 })
    expect(takeToken(empty, rate, 50)).toEqual({ tokens: 0, atMs: 50 })
  })
})
