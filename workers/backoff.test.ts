import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'

test('FLT-12 DIS-R10 a retry waits between half of its bound and all of it, doubling up to thirty seconds', () => {
  expect([1, 2, 3, 7, 8, 1e6].map((attempt) => backoffMs(attempt, 0))).toEqual([
    250, 500, 1_000, 15_000, 15_000, 15_000,
  ])
  expect(backoffMs(1, 0.999)).toBeLessThan(500)
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 ** 6 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, jitter) => {
        const bound = 2 * backoffMs(attempt, 0)
        expect(backoffMs(attempt, jitter)).toBeGreaterThanOrEqual(bound / 2)
        expect(backoffMs(attempt, jitter)).toBeLessThanOrEqual(bound)
        expect(bound).toBeLessThanOrEqual(30_000)
      },
    ),
  )
})
