import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mutationsToUndo } from './mutations-to-undo.ts'

const of = (...rows: string[][]) => rows.map((names, index) => ({ counter: index + 1, rows: names }))
const undone = (mutations: ReturnType<typeof of>, touched: string[], ...from: number[]) => [
  ...mutationsToUndo(mutations, (row) => touched.includes(row), new Set(from)),
]

describe('undone is', () => {
  test('RBS-R2 who wrote a row that changes, and every later one that shares a row with it', () => {
    expect(undone(of(['a', 'b'], ['c'], ['b', 'd'], ['d'], ['e']), ['a'])).toEqual([1, 3, 4])
  })

  test('RBS-R2 REB-19 no earlier one: undoing goes backwards and does not reach it', () => {
    expect(undone(of(['a'], ['a', 'b']), ['b'])).toEqual([2])
  })

  test('RBS-R2 whom somebody names, with those that share a row, though no row of theirs changes', () => {
    expect(undone(of(['a'], ['b'], ['a']), [], 1)).toEqual([1, 3])
    expect(undone(of([], ['a']), [], 1)).toEqual([1])
  })

  test('RBS-R2 nobody where nothing is touched, nor by a name that is not there', () => {
    expect(undone(of(['a'], ['b']), ['c'])).toEqual([])
    expect(undone(of(['a'], ['b']), [], 9)).toEqual([])
    expect(undone([], ['a'], 1)).toEqual([])
  })

  test('RBS-R2 so much that no row of who stays was written later by who goes, and no more', () => {
    const rows = fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 3 }), { maxLength: 8 })
    fc.assert(
      fc.property(rows, fc.uniqueArray(fc.constantFrom<string>('a', 'b', 'c')), (names, touched) => {
        const mutations = of(...names)
        const gone = new Set(undone(mutations, touched))
        for (const one of mutations) {
          if (!gone.has(one.counter)) {
            // Nothing it wrote changes, and nobody before it who is undone wrote the same.
            expect(one.rows.some((row) => touched.includes(row))).toBe(false)
            const before = mutations.filter(({ counter }) => counter < one.counter && gone.has(counter))
            expect(before.some(({ rows: theirs }) => theirs.some((row) => one.rows.includes(row)))).toBe(false)
          }
        }
        const needed = mutations.filter(({ rows: theirs }) => theirs.some((row) => touched.includes(row)))
        if (needed.length === 0) expect(gone.size).toBe(0)
      }),
    )
  })
})
