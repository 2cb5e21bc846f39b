import { expect, test } from 'vitest'
import { agree, hashSource } from './source-hash.ts'

test('CLI-R16 two states agree where each file that both hold has one text; a byte order mark is none of it', () => {
  const [old, young] = [hashSource('old'), hashSource('young')]
  expect(hashSource('\uFEFFold')).toBe(old)
  expect(agree({ a: old, b: old }, { a: old, c: young })).toBe(true)
  expect(agree({ a: old, b: old }, { a: old, b: young })).toBe(false)
  expect(agree({}, { a: old })).toBe(true)
})
