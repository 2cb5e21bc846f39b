import { expect, it } from 'vitest'
import { isShallowEqual } from './shallow-equal.ts'

it('compares plain objects and arrays by their fields, and everything else by itself', () => {
  expect(isShallowEqual({ a: 1, b: 'x' }, { b: 'x', a: 1 })).toBe(true)
  expect(isShallowEqual([1, 2], [1, 2])).toBe(true)
  expect(isShallowEqual(Number.NaN, Number.NaN)).toBe(true)
  expect(isShallowEqual({ a: 1 }, { a: 1, b: undefined })).toBe(false)
  expect(isShallowEqual({ a: undefined }, { b: undefined })).toBe(false)
  expect(isShallowEqual({ a: [] }, { a: [] })).toBe(false)
  expect(isShallowEqual([], {})).toBe(false)
  expect(isShallowEqual(new Date(0), new Date(0))).toBe(false)
  expect(isShallowEqual(null, {})).toBe(false)
})
