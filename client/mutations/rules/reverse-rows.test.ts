import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../protocol/index.ts'
import { columnsInTheWay, netImages, type RowImage, reversals } from './reverse-rows.ts'

const keyOf = (_table: string, { id }: Row): Row => ({ id: id ?? null })
const row = (id: string, title: string | null = null): Row => ({ id, title })
const none: ReadonlySet<string> = new Set()

describe('reversal of rows', () => {
  test('OBX-R13 what was done is taken back, last first, whatever it was', () => {
    const edit = fc.record({
      id: fc.constantFrom('1', '2', '3'),
      to: fc.constantFrom('1', '2', '3', null),
      title: fc.constantFrom('a', 'b', null),
    })
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 12 }), (edits) => {
        const start = new Map([['1', row('1', 'a')]])
        const rows = new Map(start)
        const writes: RowImage[] = []
        for (const { id, to, title } of edits) {
          if (to !== null && to !== id && rows.has(to)) continue
          const before = rows.get(id) ?? null
          const after = to === null ? null : row(to, title)
          if (!before && to !== id) continue
          rows.delete(id)
          if (after) rows.set(String(after.id), after)
          writes.push({ table: 'note', before, after })
        }
        const back = reversals(netImages(writes, keyOf), keyOf)
        for (const one of back) {
          const id = String(one.key.id)
          expect(columnsInTheWay(one, rows.get(id) ?? null, none)).toBeNull()
          if (one.to) rows.set(id, { ...rows.get(id), ...one.to })
          else rows.delete(id)
        }
        expect(rows).toEqual(start)
      }),
      { numRuns: 2_000 },
    )
  })

  test('OBX-R13 what others changed in these columns is in the way, and nothing else is', () => {
    const [edited] = reversals(
      [{ table: 'note', before: { id: '1', a: 'x', b: 'y' }, after: { id: '1', a: 'z', b: 'y' } }],
      keyOf,
    )
    if (!edited) throw new Error('nothing to reverse')
    expect(columnsInTheWay(edited, { id: '1', a: 'z', b: 'other' }, none)).toBeNull()
    expect(columnsInTheWay(edited, { id: '1', a: 'other', b: 'y' }, none)).toEqual(['a'])
    expect(columnsInTheWay(edited, null, none)).toEqual(['a'])
    const [made] = reversals([{ table: 'note', before: null, after: { id: '1', seq: null } }], keyOf)
    if (!made) throw new Error('nothing to reverse')
    expect(columnsInTheWay(made, { id: '1', seq: '7' }, new Set(['seq']))).toBeNull()
    expect(columnsInTheWay(made, { id: '1', seq: '7' }, none)).toEqual(['seq'])
    const [gone] = reversals([{ table: 'note', before: row('1'), after: null }], keyOf)
    if (!gone) throw new Error('nothing to reverse')
    expect(columnsInTheWay(gone, null, none)).toBeNull()
    expect(columnsInTheWay(gone, row('1'), none)).toEqual(['id', 'title'])
  })
})
