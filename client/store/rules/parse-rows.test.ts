import { expect, test } from 'vitest'
import { parseObject, parseRow } from './parse-rows.ts'

test('values are parsed by the type of their column; NULL stays, and text of an unknown type too', () => {
  const fields = [
    { name: 'id', dataTypeID: 23 },
    { name: 'mood', dataTypeID: 16_400 },
    { name: 'id', dataTypeID: 23 },
  ]
  const parsers = { 23: (text: string, oid: number) => Number(text) + oid - 23 }
  expect(parseRow(['1', 'glad', null], fields, parsers)).toEqual([1, 'glad', null])
  expect(
    parseRow(
      ['null', null],
      [
        { name: 'a', dataTypeID: 3802 },
        { name: 'b', dataTypeID: 3802 },
      ],
      { 3802: (text: string) => JSON.parse(text) },
    ),
  ).toEqual([null, null])
  expect(parseObject(['1', null, '2'], fields, parsers)).toEqual({ id: 2, mood: null })
})
