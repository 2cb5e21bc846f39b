import { describe, expect, test } from 'vitest'
import type { MinuteFigures } from '../../health-contract.ts'
import { bytes, count, duration, place, sayConsumers, sayWrite, short } from './format.ts'
import { seriesOf } from './series.ts'

const MINUTE_MS = 60_000
const minute = (at: number, figures: Partial<MinuteFigures> = {}): MinuteFigures => ({
  atMs: at * MINUTE_MS,
  transactions: 0,
  rows: 0,
  storedMs: null,
  deliveredMs: null,
  faults: 0,
  retainedWalBytes: null,
  ...figures,
})

describe('what is plotted', () => {
  test('OPS-R12 a minute without news had no transaction and no lag, and the log stays as it was seen', () => {
    const minutes = [
      minute(1, { retainedWalBytes: 5 }),
      minute(7, { transactions: 2, rows: 9, storedMs: 30, deliveredMs: 40 }),
      minute(9, { rows: 1, retainedWalBytes: 8 }),
    ]
    expect(seriesOf(minutes, 10 * MINUTE_MS + 17, 5 * MINUTE_MS)).toEqual({
      x: [6, 7, 8, 9, 10].map((at) => at * 60),
      transactions: [0, 2, 0, 0, 0],
      rows: [0, 9, 0, 1, 0],
      storedMs: [null, 30, null, null, null],
      deliveredMs: [null, 40, null, null, null],
      retainedWalBytes: [5, 5, 5, 8, 8],
    })
  })

  test('OPS-R12 of what was never looked at there is nothing', () => {
    expect(seriesOf([], 0, MINUTE_MS).retainedWalBytes).toEqual([null])
  })
})

test('OPS-R12 figures are said as people say them', () => {
  expect([null, 0, 999, 1_000, 9_950, 61_000, 3_600_000, 49 * 3_600_000].map(duration)).toEqual([
    '–',
    '0 ms',
    '999 ms',
    '1.0 s',
    '9.9 s',
    '1 min',
    '1.0 h',
    '2 d',
  ])
  expect([null, 0, 1_023, 1_536, 20 * 1024 ** 2, 3 * 1024 ** 3].map(bytes)).toEqual([
    '–',
    '0 B',
    '1023 B',
    '1.5 KiB',
    '20 MiB',
    '3.0 GiB',
  ])
  expect([null, 1_234_567].map(count)).toEqual(['–', '1,234,567'])
  expect([place('00000001152dada0'), place(null), short('abcdef', 4), short(null)]).toEqual([
    '1/152DADA0',
    '–',
    'abc…',
    '–',
  ])
})

test('OPS-R19 what keeps the log, and how far consumers are behind, is said in a line', () => {
  expect(sayWrite(null)).toBe('none')
  expect(sayWrite({ pid: 7, ms: 61_000, statement: 'UPDATE item SET title = ?' })).toBe(
    'process 7, open for 1 min: UPDATE item SET title = ?',
  )
  expect(sayWrite({ pid: null, ms: 1_000, statement: null })).toBe('a prepared transaction, open for 1.0 s')
  expect(sayConsumers([])).toBe('none')
  expect(
    sayConsumers([
      { name: 'search', isLost: true, lagMs: 9 },
      { name: 'mail', isLost: false, lagMs: 1_000 },
    ]),
  ).toBe('search lost changes, mail 1.0 s')
})
