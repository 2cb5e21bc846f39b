import { expect, test, vi } from 'vitest'
import type { TextResult } from '../text-result.ts'
import { parseResult } from './parse-result.ts'

const INT4 = 23
const BOOL = 16
const OWN_TYPE = 70_001

const result: TextResult = {
  fields: [
    { name: 'id', dataTypeID: INT4 },
    { name: 'done', dataTypeID: BOOL },
    { name: 'state', dataTypeID: OWN_TYPE },
  ],
  rows: [
    ['1', 't', 'open'],
    ['2', null, null],
  ],
  affectedRows: 0,
  command: 'SELECT',
  rowCount: 2,
  blob: null,
  notices: [{ message: 'seen' }],
}
const parsers = { [INT4]: Number, [BOOL]: (text: string) => text === 't' }

test('TAB-R4 values cross as text and are parsed by their type; null stays, and a type without a parser stays text', () => {
  expect(parseResult(result, parsers, 'object').rows).toEqual([
    { id: 1, done: true, state: 'open' },
    { id: 2, done: null, state: null },
  ])
})

test('TAB-R4 rows are arrays where they are asked for as arrays', () => {
  expect(parseResult(result, parsers, 'array').rows).toEqual([
    [1, true, 'open'],
    [2, null, null],
  ])
})

test('TAB-R4 a parser is called with the text and the type of its column, and never for null', () => {
  const parse = vi.fn((text: string) => text.toUpperCase())
  expect(parseResult(result, { [OWN_TYPE]: parse }, 'array').rows).toEqual([
    ['1', 't', 'OPEN'],
    ['2', null, null],
  ])
  expect(parse.mock.calls).toEqual([['open', OWN_TYPE]])
})

test('TAB-R4 of two columns of one name an object has the last, an array both', () => {
  const twice: TextResult = {
    ...result,
    fields: [
      { name: 'id', dataTypeID: INT4 },
      { name: 'id', dataTypeID: OWN_TYPE },
    ],
    rows: [['1', 'a']],
  }
  expect(parseResult(twice, parsers, 'object').rows).toEqual([{ id: 'a' }])
  expect(parseResult(twice, parsers, 'array').rows).toEqual([[1, 'a']])
})

test('TAB-R4 a column with the name of a part of every object is a value of its row', () => {
  const named: TextResult = { ...result, fields: [{ name: '__proto__', dataTypeID: INT4 }], rows: [['7']] }
  const [row = {}] = parseResult<object>(named, parsers, 'object').rows
  expect(Object.entries(row)).toEqual([['__proto__', 7]])
})

test('TAB-R4 counts, command and blob are there where the database gave them', () => {
  const blob = new Blob(['a'])
  const given = parseResult({ ...result, affectedRows: 3, command: 'COPY', rowCount: 0, blob }, parsers, 'object')
  expect(given).toMatchObject({ affectedRows: 3, command: 'COPY', rowCount: 0 })
  expect(given.blob).toBe(blob)
  const none = parseResult({ ...result, affectedRows: null, command: null, rowCount: null }, parsers, 'object')
  expect(Object.keys(none).sort()).toEqual(['fields', 'rows'])
  expect(none.fields).toEqual(result.fields)
})

test('TAB-R4 a result without rows or columns is empty', () => {
  const empty: TextResult = { ...result, fields: [], rows: [], command: 'CREATE', rowCount: null }
  expect(parseResult(empty, parsers, 'object')).toEqual({ rows: [], fields: [], affectedRows: 0, command: 'CREATE' })
})
