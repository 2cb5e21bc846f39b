import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asLsn, type Lsn } from '../../../protocol/index.ts'
import { joinPosition, judgeDelivery, type LogState, nextVersion, trimPoint } from './delivery.ts'

const lsn = (step: number): Lsn => asLsn((0xffffff0n + BigInt(step)).toString(16).padStart(16, '0'))
const log: LogState = { epoch: 'e', head: lsn(5), version: 2, joinedAt: () => null }
const offer = (from: number, to: number, more: object = {}) => ({
  epoch: 'e',
  version: 2,
  from: lsn(from),
  to: lsn(to),
  whole: true,
  ...more,
})

describe('a delivery', () => {
  test.each([
    ['appended where it begins at the head', 5, 9, 'append'],
    ['appended where it begins below the head and reaches above it', 1, 9, 'append'],
    ['known where it reaches the head', 1, 5, 'known'],
    ['known where it ends below the head', 1, 4, 'known'],
    ['a gap where it begins above the head', 6, 9, 'gap'],
  ])('DIS-R2 is %s', (_, from, to, verdict) => {
    expect(judgeDelivery(log, offer(from, to))).toBe(verdict)
  })

  test('DIS-R2 as a notice has the gap read, but for one of what is known', () => {
    expect(judgeDelivery(log, offer(5, 9, { whole: false }))).toBe('gap')
    expect(judgeDelivery(log, offer(5, 5, { whole: false }))).toBe('known')
  })

  test('DIS-R9 of another epoch says nothing of its own accord, wherever it stands', () => {
    for (const to of [1, 5, 9]) expect(judgeDelivery(log, offer(0, to, { epoch: 'f' }))).toBe('other-epoch')
  })

  test('DIS-R9 to a log that knows no epoch or no head is for nobody', () => {
    expect(judgeDelivery({ ...log, epoch: null }, offer(5, 9))).toBe('unknown')
    expect(judgeDelivery({ ...log, head: null }, offer(5, 9))).toBe('unknown')
  })

  test('DIS-25 DIS-R3 under an older subscription holds up to where the first audience joined since', () => {
    const joined = { ...log, joinedAt: (version: number) => (version < 2 ? lsn(7) : null) }
    expect(judgeDelivery(joined, offer(5, 7, { version: 1 }))).toBe('append')
    expect(judgeDelivery(joined, offer(5, 8, { version: 1 }))).toBe('gap')
    expect(judgeDelivery(joined, offer(5, 8))).toBe('append')
    expect(judgeDelivery(log, offer(5, 8, { version: 1 }))).toBe('append')
  })

  test('DIS-02 DIS-18 lost, doubled and in any order they leave no gap and apply nothing twice', () => {
    const span = fc.record({ from: fc.nat(20), size: fc.integer({ min: 1, max: 6 }), whole: fc.boolean() })
    fc.assert(
      fc.property(fc.array(span, { maxLength: 40 }), (spans) => {
        let head = 0
        const applied: number[] = []
        for (const { from, size, whole } of spans) {
          const to = from + size
          const verdict = judgeDelivery({ ...log, head: lsn(head) }, offer(from, to, { whole }))
          if (verdict === 'known') continue
          // A gap and a delivery alike bring what lies above the head.
          for (let step = head + 1; step <= to; step += 1) {
            if (verdict === 'append') expect(step).toBeGreaterThan(from)
            applied.push(step)
          }
          head = to
        }
        expect(applied).toEqual(Array.from({ length: head }, (_, index) => index + 1))
      }),
    )
  })
})

test('DIS-R3 an audience joins at the latest of what was routed, stored and is being read', () => {
  expect(joinPosition(lsn(9), lsn(5), lsn(3))).toBe(lsn(9))
  expect(joinPosition(lsn(3), lsn(9), lsn(5))).toBe(lsn(9))
  expect(joinPosition(lsn(3), lsn(5), lsn(9))).toBe(lsn(9))
  expect(joinPosition(lsn(3), lsn(5), null)).toBe(lsn(5))
  expect(joinPosition(lsn(3), null, lsn(9))).toBe(lsn(9))
  expect(joinPosition(lsn(3), null, null)).toBe(lsn(3))
})

test('FLT-04 DIS-R3 a version is above every earlier one, also where clock or memory are behind', () => {
  expect(nextVersion(7, 5)).toBe(8)
  expect(nextVersion(7, 7)).toBe(8)
  expect(nextVersion(7, 9)).toBe(9)
  expect(nextVersion(0, 0)).toBe(1)
})

describe('the log', () => {
  test('DIS-R2 drops no more than it must, oldest first', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
        fc.nat(100),
        (sizes, limit) => {
          const entries = sizes.map((chars, step) => ({ lsn: lsn(step), chars }))
          const total = sizes.reduce((sum, chars) => sum + chars, 0)
          const point = trimPoint(entries, total, limit)
          expect(point === null).toBe(total <= limit)
          if (point === null) return
          const dropped = entries.filter((entry) => entry.lsn <= point.to)
          const chars = dropped.reduce((sum, entry) => sum + entry.chars, 0)
          expect(point.chars).toBe(chars)
          expect(total - chars).toBeLessThanOrEqual(limit)
          expect(total - chars + (dropped.at(-1)?.chars ?? 0)).toBeGreaterThan(limit)
        },
      ),
    )
  })

  test('DIS-R2 drops nothing where there is nothing, and all where one alone is beyond the limit', () => {
    expect(trimPoint([], 50, 10)).toBeNull()
    expect(trimPoint([{ lsn: lsn(1), chars: 50 }], 50, 10)).toEqual({ to: lsn(1), chars: 50 })
  })
})
