import fc from 'fast-check'
import { expect, test } from 'vitest'
import { changedColumns, rowId, valuesText } from './captured-write.ts'

test('rows of all tables have names of their own, whatever table and key are called', () => {
  const name = fc.tuple(
    fc.string().filter((text) => !text.includes('\0')),
    fc.string(),
  )
  fc.assert(
    fc.property(name, name, ([table, key], [otherTable, otherKey]) => {
      const same = table === otherTable && key === otherKey
      expect(rowId(table, key) === rowId(otherTable, otherKey)).toBe(same)
    }),
  )
})

test('values are one text for equal values alone, wherever one of them ends', () => {
  expect(valuesText({ a: '1', b: '2', c: 'x' }, ['a', 'b'])).toBe(valuesText({ b: '2', a: '1' }, ['a', 'b']))
  const texts = [
    valuesText({ a: '1', b: '2' }, ['a', 'b']),
    valuesText({ a: '1', b: '2' }, ['b', 'a']),
    valuesText({ a: '12' }, ['a']),
    valuesText({ a: '1","2' }, ['a']),
    valuesText({ a: '', b: '12' }, ['a', 'b']),
  ]
  expect(new Set(texts).size).toBe(texts.length)
})

test('RBS-R6 what is NULL, or not known, refers to nothing', () => {
  expect(valuesText({ a: '1', b: null }, ['a', 'b'])).toBeNull()
  expect(valuesText({ a: '1' }, ['a', 'b'])).toBeNull()
  expect(valuesText({ a: '' }, ['a'])).not.toBeNull()
  expect(valuesText({ a: 'null' }, ['a'])).not.toBeNull()
})

test('a column has changed where its value is another; NULL and the empty text are two', () => {
  const before = { id: '1', a: null, b: '', c: 'x', d: 'y' }
  expect(changedColumns(before, { id: '1', a: '', b: null, c: 'x', d: 'z' })).toEqual(['a', 'b', 'd'])
  expect(changedColumns(before, before)).toEqual([])
})
