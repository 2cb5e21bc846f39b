import { describe, expect, test } from 'vitest'
import type { Row } from '../../../protocol/index.ts'
import type { ForeignKey } from '../../store/rules/foreign-keys.ts'
import { dependencies, dependentsOf, type Effects } from './dependents.ts'

const KEY: ForeignKey = {
  table: 'note',
  columns: ['org', 'folder'],
  parent: 'folder',
  parentColumns: ['org', 'id'],
  onDelete: null,
  onUpdate: null,
}
type EffectRow = Effects['rows'][number]
const folder = (id: string, op: EffectRow['op'] = 'insert'): EffectRow => ({
  table: 'folder',
  key: id,
  op,
  values: op === 'delete' ? null : { id, org: 'a' },
})
const note = (id: string, op: EffectRow['op'], values: Row | null = null): EffectRow => ({
  table: 'note',
  key: id,
  op,
  values,
})
const on = (...mutations: EffectRow[][]) =>
  Object.fromEntries(
    dependencies(
      mutations.map((rows, index) => ({ counter: index + 1, rows })),
      [KEY],
    ),
  )

describe('a mutation builds on an earlier one', () => {
  test('RBS-R6 OUT-07 that inserted a row which it writes, whatever it does to it', () => {
    expect(
      on([note('1', 'insert', { id: '1' })], [note('1', 'update', { title: 'x' })], [note('1', 'delete')]),
    ).toEqual({
      2: [1],
      3: [1],
    })
  })

  test('RBS-R6 that inserted a row to which a row that it writes refers', () => {
    expect(on([folder('f')], [note('1', 'insert', { id: '1', org: 'a', folder: 'f' })])).toEqual({ 2: [1] })
    expect(on([folder('f')], [note('1', 'update', { org: 'a', folder: 'f' })])).toEqual({ 2: [1] })
  })

  test('RBS-R6 where an update says a part of its reference alone, on all that it may mean', () => {
    const other = { ...folder('f2'), values: { id: 'f', org: 'b' } }
    expect(on([folder('f'), other], [folder('g')], [note('1', 'update', { folder: 'f' })])).toEqual({ 3: [1] })
    expect(on([folder('f')], [other], [note('1', 'update', { folder: 'f' })])).toEqual({ 3: [1, 2] })
  })

  test('RBS-R6 on all of them, once each and in their order', () => {
    const both = [
      note('1', 'update', { title: 'x' }),
      note('2', 'insert', { id: '2', org: 'a', folder: 'f' }),
      note('1', 'delete'),
    ]
    expect(on([note('1', 'insert', { id: '1' })], [folder('f')], both)).toEqual({ 3: [1, 2] })
    expect(on([folder('f')], [note('1', 'insert', { id: '1' })], both)).toEqual({ 3: [1, 2] })
  })

  test('RBS-R6 on the last that inserted it, where it was deleted and made anew', () => {
    const rows = [note('1', 'insert', { id: '1' })]
    expect(on(rows, [note('1', 'delete')], rows, [note('1', 'update', {})])).toEqual({ 2: [1], 4: [3] })
  })
})

describe('it does not build on', () => {
  test('RBS-R6 one that only changed the row, nor on itself', () => {
    expect(on([note('1', 'update', { title: 'a' })], [note('1', 'update', { title: 'b' })])).toEqual({})
    expect(on([folder('f'), note('1', 'insert', { id: '1', org: 'a', folder: 'f' }), note('1', 'update', {})])).toEqual(
      {},
    )
  })

  test('RBS-R6 a parent where its reference is NULL in a column, or is not told at all', () => {
    expect(on([folder('f')], [note('1', 'insert', { id: '1', org: 'a', folder: null })])).toEqual({})
    expect(on([folder('f')], [note('1', 'update', { org: null, folder: 'f' })])).toEqual({})
    expect(on([folder('f')], [note('1', 'update', { title: 'x' })])).toEqual({})
  })

  test('RBS-R6 a later one', () => {
    expect(on([note('1', 'update', { org: 'a', folder: 'f' })], [folder('f')])).toEqual({})
  })

  test('RBS-R6 a row of the same key in another table', () => {
    expect(on([folder('1')], [note('1', 'delete')])).toEqual({})
  })
})

describe('with those that fall', () => {
  const built = new Map([
    [5, [3]],
    [2, [1]],
    [3, [1, 2]],
    [4, [9]],
  ])
  const fallen = (...counters: number[]) => Object.fromEntries(dependentsOf(new Set(counters), built))

  test('RBS-R6 REB-17 OUT-06 fall all that build on them, over any number of steps, each by one of its own', () => {
    expect(fallen(1)).toEqual({ 2: 1, 3: 1, 5: 3 })
    expect(fallen(2)).toEqual({ 3: 2, 5: 3 })
  })

  test('RBS-R6 falls nobody twice, and nobody else', () => {
    expect(fallen(1, 2)).toEqual({ 3: 1, 5: 3 })
    expect(fallen(5)).toEqual({})
    expect(fallen()).toEqual({})
  })
})
