import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutBatch } from './cut-batch.ts'

const frozen = (...sizes: number[]) => sizes.map((size, index) => ({ counter: index + 1, request: 'x'.repeat(size) }))
const cut = (sizes: number[], mutations: number, chars: number) =>
  cutBatch(frozen(...sizes), { mutations, chars }).map(({ counter }) => counter)

describe('one push takes', () => {
  test('OBX-R11 as many as both bounds allow, and not one character more', () => {
    expect(cut([1, 1, 1], 3, 3)).toEqual([1, 2, 3])
    expect(cut([1, 1, 1], 2, 99)).toEqual([1, 2])
    expect(cut([4, 4, 4], 99, 8)).toEqual([1, 2])
    expect(cut([4, 4, 4], 99, 7)).toEqual([1])
  })

  test('OUT-19 OBX-R11 always one, however large it is', () => {
    expect(cut([100, 1], 10, 5)).toEqual([1])
    expect(cut([100], 0, 0)).toEqual([1])
  })

  test('OBX-R7 none of what stands behind one that does not fit, though it would', () => {
    expect(cut([3, 100, 1], 10, 5)).toEqual([1])
  })

  test('nothing of nothing', () => {
    expect(cut([], 10, 10)).toEqual([])
  })
})

test('OUT-08 OBX-R11 push by push all goes, once and in its order', () => {
  const sizes = fc.array(fc.nat(12), { maxLength: 30 })
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 20 }), (given, mutations, chars) => {
      const all = frozen(...given)
      const sent: number[] = []
      for (let left = all; left.length > 0; ) {
        const batch = cutBatch(left, { mutations, chars })
        expect(batch.length).toBeGreaterThan(0)
        expect(batch.length).toBeLessThanOrEqual(mutations)
        const total = batch.reduce((sum, { request }) => sum + request.length, 0)
        if (batch.length > 1) expect(total).toBeLessThanOrEqual(chars)
        sent.push(...batch.map(({ counter }) => counter))
        left = left.slice(batch.length)
      }
      expect(sent).toEqual(all.map(({ counter }) => counter))
    }),
  )
})
