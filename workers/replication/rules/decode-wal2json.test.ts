import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DefinitionInForce } from '../../../protocol/index.ts'
import { decodeWal2json } from './decode-wal2json.ts'
import { planTables } from './table-plan.ts'

const column = (name: string, type = 'text') => ({ name, type, notNull: false, generated: null })
const table = (schema: string, name: string, columns: ReturnType<typeof column>[]) => ({
  id: `${schema}.${name}`,
  schema,
  name,
  columns,
  primaryKey: ['id'],
  audience: { constant: 'all' as const },
  priority: 1,
  uniques: [],
  indexes: [],
  foreignKeys: [],
})
const definition: DefinitionInForce = {
  version: 1,
  hash: 'h',
  definition: {
    types: [],
    tables: [
      table('public', 'item', [
        column('id', 'bigint'),
        column('note'),
        column('file', 'bytea'),
        column('files', 'bytea[]'),
      ]),
      table('odd "s"', 'a\\b', [column('id'), column('say "hi"')]),
      table('public', 'proto', [column('id'), column('__proto__')]),
    ],
  },
}
const plans = planTables(definition)
const planOf = (id: string) => [...plans.values()].find((plan) => plan.id === id)
const item = planOf('public.item')

/** A line as wal2json prints it: its own fields first, those of the row after them. */
const lineOf = (action: string, row: string) =>
  `{"action":"${action}","xid":5,"timestamp":"2026-01-02 03:04:05.6+00","lsn":"0/1","schema":"public","table":"item"${row}}`
const columns = (...pairs: string[]) =>
  `,"columns":[${pairs.map((pair) => `{"name":${pair.split('=')[0]},"value":${pair.slice(pair.indexOf('=') + 1)}}`).join()}]`
const identity = (...pairs: string[]) => columns(...pairs).replace('columns', 'identity')

test.each([
  ['beyond what a double holds', '9223372036854775807', '9223372036854775807'],
  ['with all of its zeros', '1.500000000000000000000000', '1.500000000000000000000000'],
  ['with an exponent', '1e-300', '1e-300'],
  ['negative', '-0', '-0'],
  ['as a text', '"NaN"', 'NaN'],
  ['that is NULL', 'null', null],
])('CAP-10 CAP-R23 a number %s keeps the spelling of the log', (_, printed, value) => {
  expect(decodeWal2json(lineOf('I', columns(`"id"=${printed}`)), plans)).toMatchObject({
    new: [value, undefined, undefined, undefined],
  })
})

test.each([
  ['"null"', 'null'],
  ['""', ''],
  ['"{\\"a\\":\\"},{\\"}"', '{"a":"},{"}'],
  ['"ends in \\\\"', 'ends in \\'],
  ['"\\\\\\""', '\\"'],
  ['"\\u0001\\t\\n"', '\u0001\t\n'],
  ['"💧\\u2028"', '💧\u2028'],
  ['"\\"schema\\":\\"x\\",\\"identity\\":[]"', '"schema":"x","identity":[]'],
])('CAP-11 CAP-13 the text %s is no structure of the line', (printed, value) => {
  const line = lineOf('U', `${columns('"id"=1', `"note"=${printed}`)}${identity('"id"=2', `"note"=${printed}`)}`)
  expect(decodeWal2json(line, plans)).toMatchObject({
    old: ['2', value, undefined, undefined],
    new: ['1', value, undefined, undefined],
  })
})

test('CAP-R23 a boolean is spelled as Postgres prints it', () => {
  for (const [printed, value] of [
    ['true', 't'],
    ['false', 'f'],
  ])
    expect(decodeWal2json(lineOf('I', columns(`"note"=${printed}`)), plans)).toMatchObject({
      new: [undefined, value, undefined, undefined],
    })
})

test('every text arrives as it was, wherever quotes and backslashes stand, and whatever its column is called', () => {
  const text = fc.option(fc.string({ unit: 'binary' }), { nil: null })
  fc.assert(
    fc.property(text, text, (first, second) => {
      const row = `${columns('"id"="1"', `"__proto__"=${JSON.stringify(first)}`)}${identity('"id"="2"', `"__proto__"=${JSON.stringify(second)}`)}`
      expect(decodeWal2json(lineOf('U', row).replace('"item"', '"proto"'), plans)).toMatchObject({
        new: ['1', first],
        old: ['2', second],
      })
    }),
  )
})

test('CAP-R2 a begin carries the end of its transaction, a commit nothing', () => {
  const begin =
    '{"action":"B","xid":4294967295,"timestamp":"2026-01-02 03:04:05.6+00","lsn":"0/1","nextlsn":"A/FFFFFFFF"}'
  expect(decodeWal2json(begin, plans)).toEqual({
    type: 'begin',
    xid: '4294967295',
    lsn: '0000000affffffff',
    committedAt: '2026-01-02T03:04:05.600000Z',
  })
  expect(decodeWal2json('{"action":"C","xid":1}', plans)).toEqual({ type: 'commit' })
})

test('CAP-R23 bytea gets back the mark that wal2json leaves out, NULL and arrays excepted', () => {
  const bytes = (value: string) => decodeWal2json(lineOf('I', columns('"id"=1', `"file"=${value}`)), plans)
  expect(bytes('"00ff"')).toMatchObject({ new: ['1', undefined, '\\x00ff', undefined] })
  expect(bytes('""')).toMatchObject({ new: ['1', undefined, '\\x', undefined] })
  expect(bytes('null')).toMatchObject({ new: ['1', undefined, null, undefined] })
  const array = lineOf('I', columns('"id"=1', '"files"="{\\"\\\\\\\\x00\\"}"'))
  expect(decodeWal2json(array, plans)).toMatchObject({ new: ['1', undefined, undefined, '{"\\\\x00"}'] })
})

describe('rows', () => {
  test('CAP-R3 CAP-04 a column that the log does not carry is absent, wherever the others stand', () => {
    const line = lineOf('U', `${columns('"note"="b"', '"id"=1')}${identity('"id"=1', '"note"="a"', '"file"="00"')}`)
    expect(decodeWal2json(line, plans)).toEqual({
      type: 'row',
      plan: item,
      old: ['1', 'a', '\\x00', undefined],
      new: ['1', 'b', undefined, undefined],
    })
  })

  test('CAP-R7 columns that do not travel are passed over, before, between and behind those that do', () => {
    const line = lineOf('I', columns('"secret"="x"', '"id"=1', '"low"=[]', '"note"="n"', '"late"=true'))
    expect(decodeWal2json(line, plans)).toMatchObject({ new: ['1', 'n', undefined, undefined] })
  })

  test('CAP-R17 an update or a delete without its old row has one of which nothing is known', () => {
    expect(decodeWal2json(lineOf('U', columns('"id"=1')), plans)).toMatchObject({
      old: [],
      new: ['1', undefined, undefined, undefined],
    })
    expect(decodeWal2json(lineOf('D', ''), plans)).toMatchObject({ old: [], new: null })
  })

  test('a delete has its old row alone, an insert its new one', () => {
    expect(decodeWal2json(lineOf('D', identity('"id"=1')), plans)).toMatchObject({
      old: ['1', undefined, undefined, undefined],
      new: null,
    })
    expect(decodeWal2json(lineOf('I', columns('"id"=1')), plans)).toMatchObject({ old: null })
  })

  test('CAP-R6 a TRUNCATE names its table; of a table that is not synced nothing is said', () => {
    expect(decodeWal2json(lineOf('T', ''), plans)).toEqual({ type: 'truncate', plan: item })
    for (const action of ['I', 'U', 'D', 'T'])
      expect(decodeWal2json(lineOf(action, '').replace('"item"', '"other"'), plans)).toBeNull()
    expect(decodeWal2json(lineOf('I', columns('"id"=1')).replace('"public"', '"private"'), plans)).toBeNull()
  })

  test('CAP-13 names with quotes and backslashes are found', () => {
    const line =
      '{"action":"I","xid":1,"schema":"odd \\"s\\"","table":"a\\\\b","columns":[{"name":"say \\"hi\\"","value":"x"},{"name":"id","value":"1"}]}'
    expect(decodeWal2json(line, plans)).toMatchObject({ plan: { name: 'a\\b' }, new: ['1', 'x'] })
  })

  test('CAP-R31 CAP-R19 rows of our own tables are told as rows', () => {
    const line =
      '{"action":"I","schema":"tidemark","table":"mutation","columns":[{"name":"client_id","value":"c"},{"name":"counter","value":7}]}'
    expect(decodeWal2json(line, plans)).toMatchObject({
      plan: { own: 'mutation' },
      new: ['c', '7', undefined, undefined],
    })
  })
})

describe('messages', () => {
  const message = (fields: object) =>
    JSON.stringify({ action: 'M', transactional: true, prefix: 'tidemark.annotate', ...fields })

  test('CAP-22 CAP-R32 what is said of the transaction is told as it was said', () => {
    const content = '{"by":"import","n":12345678901234567890}'
    expect(decodeWal2json(message({ content }), plans)).toEqual({ type: 'annotation', metadata: content })
  })

  test.each([
    ['not transactional', { transactional: false, content: '{"a":1}' }],
    ['of another prefix', { prefix: 'app', content: '{"a":1}' }],
    ['no object', { content: '[1]' }],
    ['no JSON', { content: 'hello' }],
    ['not to be held by jsonb', { content: '{"a":"\\u0000"}' }],
  ])('CAP-22 CAP-R32 one that is %s says nothing', (_, fields) => {
    expect(decodeWal2json(message(fields), plans)).toBeNull()
  })
})

test.each([
  ['nothing', ''],
  ['an empty object', '{}'],
  ['a line of format 1', '{"change":[]}'],
  ['a kind that there is not', '{"action":"Z","xid":1}'],
  ['a row without its table', '{"action":"I","xid":1}'],
  ['a table without its schema', '{"action":"I","xid":1,"table":"item"}'],
  ['a schema that is no text', '{"action":"I","schema":null,"table":"item"}'],
  ['a name that is cut', '{"action":"I","schema":"public","table":"ite'],
  ['a text that is cut behind an escape', lineOf('I', '').replace('}', ',"columns":[{"name":"note","value":"a\\"')],
  ['a value that is missing', lineOf('I', ',"columns":[{"name":"id","value":}]')],
  ['a column that is cut', lineOf('I', '').replace('}', ',"columns":[{"name":"id"')],
  ['a column without its value', lineOf('I', ',"columns":[{"name":"id"}]')],
  ['columns that do not end', lineOf('I', '').replace('}', ',"columns":[{"name":"id","value":1}')],
])('%s is corrupt, and nothing is made of it', (_, line) => {
  expect(() => decodeWal2json(line, plans)).toThrow(expect.objectContaining({ kind: 'corrupt' }))
})
