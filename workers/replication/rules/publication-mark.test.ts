import { expect, test } from 'vitest'
import { publicationAltered, publicationMark } from './publication-mark.ts'

const mark = (version: number, itself: unknown, ...tables: number[]) =>
  publicationMark(version, JSON.stringify({ itself, tables }))

test('CAP-29 CAP-R18 a publication is altered when a table came anew, not when one was dropped or the definition changed', () => {
  const before = mark(1, ['oid'], 7, 8)
  expect(publicationAltered(null, before)).toBe(false)
  expect(publicationAltered(before, before)).toBe(false)
  expect(publicationAltered(before, mark(1, ['oid'], 7))).toBe(false)
  expect(publicationAltered(before, mark(1, ['oid'], 7, 9))).toBe(true)
  expect(publicationAltered(before, mark(1, ['other'], 7, 8))).toBe(true)
  expect(publicationAltered(before, publicationMark(1, null))).toBe(true)
  expect(publicationAltered('1 missing', before)).toBe(true)
  expect(publicationAltered(before, mark(2, ['other'], 9))).toBe(false)
})
