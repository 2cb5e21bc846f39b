import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { boundedIntervals, DEFAULT_INTERVALS, nextPauseMs, type Pace } from './interval.ts'

const intervals = boundedIntervals()
const pace: Pace = { subscribers: 0, quietMs: 0, failures: 0, watching: false, random: 1 }
const anyPace = fc.record({
  subscribers: fc.nat(3),
  quietMs: fc.nat(10 ** 9),
  failures: fc.nat(50),
  watching: fc.boolean(),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
})

describe('a pause', () => {
  test('CAP-R27 is never none, and never longer than the age at which a slot is dropped', () => {
    fc.assert(
      fc.property(
        anyPace,
        fc.record({ activeMs: fc.integer(), idleMs: fc.integer(), quietMs: fc.integer() }),
        (given, asked) => {
          const pauseMs = nextPauseMs(given, boundedIntervals(asked))
          expect(pauseMs).toBeGreaterThanOrEqual(50)
          expect(pauseMs).toBeLessThanOrEqual(12 * 3_600_000)
        },
      ),
    )
  })

  test('OPS-12 CAP-R27 grows with the quiet, with subscribers and without', () => {
    fc.assert(
      fc.property(fc.nat(2), fc.nat(10 ** 9), fc.nat(10 ** 9), (subscribers, one, other) => {
        const at = (quietMs: number) => nextPauseMs({ ...pace, subscribers, quietMs }, intervals)
        expect(at(Math.max(one, other))).toBeGreaterThanOrEqual(at(Math.min(one, other)))
      }),
    )
  })

  test('CAP-26 CAP-R27 with subscribers is a tenth of the quiet, from the active pause to the quiet one', () => {
    const at = (quietMs: number) => nextPauseMs({ ...pace, subscribers: 1, quietMs }, intervals)
    expect(at(0)).toBe(DEFAULT_INTERVALS.activeMs)
    expect(at(1_000_000)).toBe(100_000)
    expect(at(6_000_000)).toBe(DEFAULT_INTERVALS.quietMs)
    expect(at(6_000_010)).toBe(DEFAULT_INTERVALS.quietMs)
  })

  test('CAP-26 CAP-R27 without subscribers is half the quiet, from the active pause to the idle one', () => {
    const at = (quietMs: number) => nextPauseMs({ ...pace, quietMs }, intervals)
    expect(at(1_000)).toBe(DEFAULT_INTERVALS.activeMs)
    expect(at(100_000)).toBe(50_000)
    expect(at(8_000_000)).toBe(DEFAULT_INTERVALS.idleMs)
  })

  test('CAP-24 CAP-R14 after a failure backs off, doubling, whatever else would make it short', () => {
    const pauseAfter = (failures: number, more: Partial<Pace> = {}) =>
      nextPauseMs({ ...pace, failures, ...more }, intervals)
    expect([1, 2, 3, 4].map((failures) => pauseAfter(failures))).toEqual([1_000, 2_000, 4_000, 8_000])
    expect(pauseAfter(2, { watching: true, subscribers: 3 })).toBe(2_000)
    expect(pauseAfter(1_000, { subscribers: 1 })).toBe(60_000)
    expect(pauseAfter(1_000)).toBe(300_000)
    expect(pauseAfter(1, { random: 0 })).toBe(500)
  })

  test('CAP-R29 stands behind a wait inside Postgres for longer than the wait lasts', () => {
    expect(nextPauseMs({ ...pace, watching: true, subscribers: 1 }, intervals)).toBe(15_000)
    expect(nextPauseMs({ ...pace, watching: true, quietMs: 9e9 }, intervals)).toBe(15_000)
  })
})

describe('intervals', () => {
  test('CAP-R27 are what is asked for within bounds, else the defaults', () => {
    expect(boundedIntervals()).toEqual(DEFAULT_INTERVALS)
    expect(boundedIntervals({ activeMs: 100, idleMs: 200, watchMs: 0, quietMs: 300, driftWaitMs: 400 })).toEqual({
      activeMs: 100,
      idleMs: 200,
      watchMs: 0,
      quietMs: 300,
      driftWaitMs: 400,
    })
    expect(boundedIntervals({ activeMs: 0, idleMs: 9e9 })).toMatchObject({ activeMs: 50, idleMs: 12 * 3_600_000 })
    expect(boundedIntervals({ watchMs: -5, driftWaitMs: 0 })).toMatchObject({ watchMs: 0, driftWaitMs: 50 })
  })

  test('CAP-R27 never make the slow pauses shorter than the fast one', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.integer(), (activeMs, idleMs, quietMs) => {
        const bounded = boundedIntervals({ activeMs, idleMs, quietMs })
        expect(bounded.idleMs).toBeGreaterThanOrEqual(bounded.activeMs)
        expect(bounded.quietMs).toBeGreaterThanOrEqual(bounded.activeMs)
      }),
    )
  })
})
