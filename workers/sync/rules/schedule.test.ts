import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs, type Duties, nextAlarmMs, renewalDueMs } from './schedule.ts'

const none: Duties = {
  nowMs: 1_000,
  emptySinceMs: null,
  subscribed: false,
  leaseUntilMs: 0,
  leaseMs: 60_000,
  retryAtMs: null,
  noticeAtMs: null,
  expiryAtMs: null,
  deadlineAtMs: null,
  lingerMs: 300_000,
}
const alarm = (duties: Partial<Duties>) => nextAlarmMs({ ...none, ...duties })

describe('the alarm', () => {
  test('DIS-20 DIS-R10 is none where there is no duty: the object may be evicted', () => {
    expect(alarm({})).toBeNull()
  })

  test.each<[string, Partial<Duties>, number]>([
    ['a lease, with a third of it to spare', { subscribed: true, leaseUntilMs: 90_000 }, 70_000],
    ['a retry', { retryAtMs: 5_000 }, 5_000],
    ['a head notice', { noticeAtMs: 6_000 }, 6_000],
    ['the expiry of a token', { expiryAtMs: 7_000 }, 7_000],
    ['a silent socket', { deadlineAtMs: 8_000 }, 8_000],
  ])('DIS-R10 stands at %s', (_, duties, at) => {
    expect(alarm(duties)).toBe(at)
    expect(alarm({ ...duties, deadlineAtMs: at - 1 })).toBe(at - 1)
  })

  test('DIS-R10 puts off what asks others until the retry, and never what concerns a socket', () => {
    const failed = { retryAtMs: 50_000, subscribed: true, leaseUntilMs: 0, noticeAtMs: 2_000 }
    expect(alarm(failed)).toBe(50_000)
    expect(alarm({ ...failed, expiryAtMs: 3_000 })).toBe(3_000)
    expect(alarm({ ...failed, deadlineAtMs: 4_000 })).toBe(4_000)
  })

  test('DIS-20 DIS-R10 without sockets is for leaving alone, whatever else was due', () => {
    const due = { retryAtMs: 1, noticeAtMs: 1, expiryAtMs: 1, deadlineAtMs: 1 }
    expect(alarm({ ...due, emptySinceMs: 10_000, subscribed: true })).toBe(310_000)
    expect(alarm({ ...due, emptySinceMs: 10_000 })).toBeNull()
  })

  test('DIS-28 a renewal leaves time for failures before the lease ends', () => {
    expect(renewalDueMs(600_000, 600_000)).toBe(400_000)
    fc.assert(
      fc.property(fc.nat(10 ** 9), fc.integer({ min: 3, max: 10 ** 7 }), (until, lease) => {
        expect(renewalDueMs(until, lease)).toBeLessThan(until)
        expect(until - renewalDueMs(until, lease)).toBeLessThanOrEqual(lease / 3)
      }),
    )
  })
})

test('FLT-12 DIS-R10 a retry waits between half of its bound and all of it, doubling up to thirty seconds', () => {
  expect([1, 2, 3, 7, 8, 1e6].map((attempt) => backoffMs(attempt, 0))).toEqual([
    250, 500, 1_000, 15_000, 15_000, 15_000,
  ])
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
