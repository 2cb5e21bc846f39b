import { describe, expect, test } from 'vitest'
import type { Definition } from '../../../protocol/index.ts'
import { chooseDecoder, type DecoderFacts, pgoutputFault, wal2jsonFault } from './decoder-choice.ts'

type Column = Definition['tables'][number]['columns'][number]

const definitionOf = (...columns: (Partial<Column> & { name: string })[]): Definition => ({
  types: [],
  tables: [
    {
      id: 'public.t',
      schema: 'public',
      name: 't',
      columns: [{ name: 'id', type: 'text' }, ...columns].map((column) => ({
        type: 'text',
        notNull: false,
        generated: null,
        ...column,
      })),
      primaryKey: ['id'],
      audience: { constant: 'all' },
      priority: 1,
      uniques: [],
      indexes: [],
      foreignKeys: [],
    },
  ],
})
const able: DecoderFacts = { wal2jsonFault: null, numericAsString: true, partitioned: [], sendsGenerated: true }
const misconfigured = expect.objectContaining({ kind: 'misconfigured' })

describe('wal2json', () => {
  test.each(['numeric', 'numeric(10,2)', 'real', 'double precision'])(
    'CAP-10 CAP-R22 below 2.6 would lose NaN of a column of %s',
    (type) => {
      const old = { ...able, numericAsString: false }
      expect(wal2jsonFault(old, definitionOf({ name: 'n', type }))).toContain('public.t.n')
      expect(wal2jsonFault(able, definitionOf({ name: 'n', type }))).toBeNull()
    },
  )

  test.each([
    ['integer', {}],
    ['numeric[]', {}],
    ['public.numeric_like', {}],
    ['numeric', { generated: 'a + 1' }],
  ])('CAP-R22 below 2.6 takes %s, %j', (type, more) => {
    expect(wal2jsonFault({ ...able, numericAsString: false }, definitionOf({ name: 'n', type, ...more }))).toBeNull()
  })

  test('CAP-18 CAP-R22 does not capture a partitioned table, which the reason names', () => {
    expect(wal2jsonFault({ ...able, partitioned: ['public.parts'] }, definitionOf())).toContain('public.parts')
  })

  test('CAP-R22 names no more than three columns, however many there are', () => {
    const many = [1, 2, 3, 4, 5].map((number) => ({ name: `n${number}`, type: 'real' }))
    const fault = wal2jsonFault({ ...able, numericAsString: false }, definitionOf(...many))
    expect(fault).toContain('public.t.n3')
    expect(fault).not.toContain('public.t.n4')
  })
})

test('VAL-R5 pgoutput below Postgres 18 lacks generated columns that travel, and no others', () => {
  const older = { sendsGenerated: false }
  expect(pgoutputFault(older, definitionOf({ name: 'low', serverGenerated: true }))).toContain('public.t.low')
  expect(pgoutputFault(older, definitionOf({ name: 'low', generated: 'lower(id)' }))).toBeNull()
  expect(pgoutputFault({ sendsGenerated: true }, definitionOf({ name: 'low', serverGenerated: true }))).toBeNull()
})

describe('the choice', () => {
  const generated = definitionOf({ name: 'low', serverGenerated: true })

  test('CAP-R22 keeps to what was asked for where that can capture everything, and says so', () => {
    expect(chooseDecoder('wal2json', able, generated)).toMatchObject({
      decoder: 'wal2json',
      reason: expect.stringContaining('asked for'),
    })
    expect(chooseDecoder('pgoutput', able, generated)).toMatchObject({
      decoder: 'pgoutput',
      reason: expect.stringContaining('asked for'),
    })
    // Whatever is the matter with the other one.
    expect(chooseDecoder('pgoutput', { ...able, wal2jsonFault: 'it is absent' }, generated).decoder).toBe('pgoutput')
    expect(chooseDecoder('wal2json', { ...able, sendsGenerated: false }, generated).decoder).toBe('wal2json')
  })

  test('CAP-23 CAP-R22 never falls back from what was asked for: it says why not', () => {
    expect(() => chooseDecoder('wal2json', { ...able, wal2jsonFault: 'it is absent' }, generated)).toThrow(
      misconfigured,
    )
    expect(() => chooseDecoder('wal2json', { ...able, wal2jsonFault: 'it is absent' }, generated)).toThrow(
      /it is absent/,
    )
    expect(() => chooseDecoder('pgoutput', { ...able, sendsGenerated: false }, generated)).toThrow(misconfigured)
  })

  test('CAP-23 CAP-R22 of `auto` is wal2json where it can capture everything, else pgoutput', () => {
    const numeric = definitionOf({ name: 'n', type: 'numeric(10,2)' })
    const plain = definitionOf()
    expect(chooseDecoder('auto', able, numeric).decoder).toBe('wal2json')
    expect(chooseDecoder('auto', { ...able, numericAsString: false }, plain).decoder).toBe('wal2json')
    for (const [facts, definition] of [
      [{ ...able, numericAsString: false }, numeric],
      [{ ...able, partitioned: ['public.t'] }, plain],
      [{ ...able, wal2jsonFault: 'absent' }, plain],
    ] as const) {
      expect(chooseDecoder('auto', facts, definition)).toMatchObject({
        decoder: 'pgoutput',
        reason: expect.stringContaining('auto took pgoutput'),
      })
      expect(() => chooseDecoder('wal2json', facts, definition)).toThrow(misconfigured)
    }
  })

  test('FLD-54 VAL-R5 CAP-R22 takes generated columns that travel by wal2json, or by a pgoutput that sends them', () => {
    const older = { ...able, sendsGenerated: false }
    expect(chooseDecoder('auto', older, generated).decoder).toBe('wal2json')
    expect(chooseDecoder('auto', { ...able, wal2jsonFault: 'absent' }, generated).decoder).toBe('pgoutput')
    const absent = { ...older, wal2jsonFault: 'wal2json is absent' }
    for (const asked of ['auto', 'pgoutput'] as const)
      expect(() => chooseDecoder(asked, absent, generated)).toThrow(/below Postgres 18 .*low\): hide them/)
    expect(chooseDecoder('auto', absent, definitionOf()).decoder).toBe('pgoutput')
  })

  test('CAP-23 CAP-R22 of `auto` says why it is not wal2json', () => {
    expect(chooseDecoder('auto', { ...able, wal2jsonFault: 'it is absent' }, generated)).toMatchObject({
      decoder: 'pgoutput',
      reason: expect.stringContaining('it is absent'),
    })
  })

  test('VAL-R5 of `auto` is an error with both reasons where neither can capture everything', () => {
    const neither = { ...able, wal2jsonFault: 'it is absent', sendsGenerated: false }
    expect(() => chooseDecoder('auto', neither, generated)).toThrow(misconfigured)
    expect(() => chooseDecoder('auto', neither, generated)).toThrow(/it is absent.*public\.t\.low/)
  })
})
