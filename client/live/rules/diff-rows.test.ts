import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RawRow } from '../../store/text-result.ts'
import { applyDiff, diffRows, isUnchanged } from './diff-rows.ts'

const row = (...values: (string | null)[]): RawRow => values
const rows = fc.array(fc.tuple(fc.constantFrom('1', '2', '3', null), fc.constantFrom('a', 'b')), { maxLength: 12 })

describe('differences of results', () => {
  it('names what stays in ranges, and sends what is new or changed', () => {
    const held = [row('1', 'a'), row('2', 'b'), row('3', null)]
    expect(diffRows(held, [row('1', 'a'), row('2', 'c'), row('3', null)])).toEqual([
      { from: 0, count: 1 },
      { rows: [['2', 'c']] },
      { from: 2, count: 1 },
    ])
    expect(diffRows(held, [row('3', null), row('1', 'a')])).toEqual([
      { from: 2, count: 1 },
      { from: 0, count: 1 },
    ])
  })

  it('knows NULL from text', () => {
    expect(diffRows([row(null)], [row('null')])).toEqual([{ rows: [['null']] }])
    expect(diffRows([row(null)], [row('')])).toEqual([{ rows: [['']] }])
  })

  it('makes the next result of the one before, whatever both are, and uses no row twice', () => {
    fc.assert(
      fc.property(rows, rows, (held, next) => {
        const parts = diffRows(held, next)
        const made = applyDiff(
          held.map((values, place) => ({ values, place })),
          parts.map((part) => ('from' in part ? part : { rows: part.rows.map((values) => ({ values, place: -1 })) })),
        )
        expect(made.map(({ values }) => values)).toEqual(next)
        const used = made.map(({ place }) => place).filter((place) => place >= 0)
        expect(new Set(used).size).toBe(used.length)
      }),
    )
  })

  it('is unchanged exactly where all rows are the same', () => {
    fc.assert(
      fc.property(rows, rows, (held, next) => {
        expect(isUnchanged(diffRows(held, next), held.length)).toBe(JSON.stringify(held) === JSON.stringify(next))
      }),
    )
    expect(isUnchanged(diffRows([row('1')], [row('1')]), 1)).toBe(true)
  })
})
