import { expect, test } from 'vitest'
import { queryKey } from './query-key.ts'

test('queries have one key exactly where text and parameters are equal', () => {
  const at = new Date('2026-11-30T00:00:00Z')
  const different: readonly (readonly unknown[])[] = [
    [],
    [1],
    ['1'],
    [1n],
    [null],
    [undefined],
    [true],
    [Number.NaN],
    [at],
    [at.toISOString()],
    [new Uint8Array([1])],
    [[1]],
    [{ a: 1 }],
    [{ a: 1n }],
    [1, 2],
  ]
  const keys = different.map((params) => queryKey('SELECT $1', params))
  expect(new Set(keys).size).toBe(different.length)
  expect(different.map((params) => queryKey('SELECT $1', [...params]))).toEqual(keys)
  expect(queryKey('SELECT 1', [])).not.toBe(queryKey('SELECT 2', []))
  expect(queryKey('SELECT 1', [], 'drizzle')).not.toBe(queryKey('SELECT 1', []))
})
