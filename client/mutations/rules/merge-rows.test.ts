import { describe, expect, test } from 'vitest'
import type { PatchRow, Row } from '../../../protocol/index.ts'
import { mergeRows, rowName } from './merge-rows.ts'

type Bases = Extract<PatchRow, { o: 'u' }>['b']

const named = (id: string) => ({ t: 'note', a: 'all', k: { id } })
const insert = (id: string, d: Row, z?: string[]): PatchRow => ({
  o: 'i',
  ...named(id),
  d: { id, ...d },
  ...(z ? { z } : {}),
})
const update = (id: string, d: Row, b: Bases): PatchRow => ({ o: 'u', ...named(id), d, b })
const remove = (id: string): PatchRow => ({ o: 'd', ...named(id) })

describe('one patch followed by another', () => {
  test('OBX-R1 of each column has the earliest basis and the last value', () => {
    const first = update('1', { a: '1', b: '1' }, { a: { v: '0' }, b: { v: null } })
    const then = update('1', { b: '2', c: '2' }, { b: { m: 1 }, c: { v: 'x' } })
    expect(mergeRows([first], [then])).toEqual([
      update('1', { a: '1', b: '2', c: '2' }, { a: { v: '0' }, b: { v: null }, c: { v: 'x' } }),
    ])
  })

  test('OUT-11 OBX-R3 makes of an insert and edits one insert, of an insert and a delete nothing', () => {
    expect(mergeRows([insert('1', { a: null })], [update('1', { a: '1' }, { a: { m: 1 } })])).toEqual([
      insert('1', { a: '1' }),
    ])
    expect(mergeRows([insert('1', { a: null })], [remove('1')])).toEqual([])
  })

  test('FLD-134 OBX-R1 leaves to the server a column with the name of something that every object has', () => {
    const made = insert('1', { constructor: null }, ['constructor'])
    expect(mergeRows([made], [update('1', { at: 'now' }, { at: { m: 1 } })])).toEqual([
      insert('1', { constructor: null, at: 'now' }, ['constructor']),
    ])
  })

  test('OBX-R1 leaves to the server what neither wrote, and no more', () => {
    const made = insert('1', { seq: null, at: null }, ['seq', 'at'])
    expect(mergeRows([made], [update('1', { at: 'now' }, { at: { m: 1 } })])).toEqual([
      insert('1', { seq: null, at: 'now' }, ['seq']),
    ])
    expect(mergeRows([made], [update('1', { at: null, seq: '1' }, { at: { m: 1 }, seq: { m: 1 } })])).toEqual([
      insert('1', { seq: '1', at: null }),
    ])
  })

  test('OBX-R1 deletes what was there before both of them, and nothing that was not', () => {
    const edit = update('1', { a: '1' }, { a: { v: '0' } })
    expect(mergeRows([edit], [remove('1')])).toEqual([remove('1')])
    expect(mergeRows([remove('1')], [insert('1', {})])).toEqual([remove('1'), insert('1', {})])
    expect(mergeRows([remove('1'), insert('1', {})], [remove('1')])).toEqual([remove('1')])
  })

  test('OBX-R1 keeps the order in which rows were first written', () => {
    const edits = (...ids: string[]) => ids.map((id) => update(id, { a: id }, { a: { v: '' } }))
    const order = mergeRows(edits('3', '1'), edits('2', '1', '3')).map(({ k }) => k.id)
    expect(order).toEqual(['3', '1', '2'])
  })

  test('OBX-R1 changes neither of them', () => {
    const first = [update('1', { a: '1' }, { a: { v: '0' } })]
    const then = [update('1', { a: '2' }, { a: { m: 1 } })]
    const before = JSON.stringify([first, then])
    mergeRows(first, then)
    expect(JSON.stringify([first, then])).toBe(before)
  })
})

test('a row’s name is one for equal keys alone, in whichever order their columns come', () => {
  expect(rowName({ t: 'a', k: { x: '1', y: '2' } })).toBe(rowName({ t: 'a', k: { y: '2', x: '1' } }))
  const names = [
    { t: 'a', k: { x: '1', y: '2' } },
    { t: 'a', k: { x: '2', y: '1' } },
    { t: 'b', k: { x: '1', y: '2' } },
    { t: 'a', k: { x: '1' } },
    { t: 'a', k: { x: '1","y":"2' } },
  ].map(rowName)
  expect(new Set(names).size).toBe(names.length)
})
