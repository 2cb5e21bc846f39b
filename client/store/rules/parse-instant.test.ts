import { expect, test } from 'vitest'
import { parseInstant } from './parse-instant.ts'

const READ: [text: string, instant: string][] = [
  ['2026-12-01', '2026-12-01T00:00:00.000Z'],
  ['2026-12-01 10:00:00', '2026-12-01T10:00:00.000Z'],
  ['2026-12-01 10:00:00.29', '2026-12-01T10:00:00.290Z'],
  ['2026-12-01 10:00:00.123999', '2026-12-01T10:00:00.123Z'],
  ['2026-12-01 10:00:00+00', '2026-12-01T10:00:00.000Z'],
  ['2026-12-01 10:00:00-05', '2026-12-01T15:00:00.000Z'],
  ['2026-12-01 10:00:00+05:30', '2026-12-01T04:30:00.000Z'],
  ['1883-11-18 12:00:00-04:56:02', '1883-11-18T16:56:02.000Z'],
  ['0044-03-15 BC', '-000043-03-15T00:00:00.000Z'],
  ['0001-12-31 23:00:00+00 BC', '0000-12-31T23:00:00.000Z'],
  ['0099-02-03', '0099-02-03T00:00:00.000Z'],
  ['10000-01-01 00:00:00+00', '+010000-01-01T00:00:00.000Z'],
]

test.each(READ)('VAL-R12 %s is %s', (text, instant) => {
  expect((parseInstant(text) as Date).toISOString()).toBe(instant)
})

test('VAL-R12 infinities are numbers, and what no Date holds is an invalid one', () => {
  expect([parseInstant('infinity'), parseInstant('-infinity')]).toEqual([
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ])
  for (const text of ['294276-12-31 23:59:59', 'allballs', '4714-11-24 BC x'])
    expect((parseInstant(text) as Date).getTime()).toBeNaN()
})
