import { expect, test } from 'vitest'
import { isSerializedAlike } from './is-serialized-alike.ts'

class Decimal {
  toString() {
    return '1.50'
  }
}

test('data are serialized alike on both sides of a structured clone', () => {
  const bytes = new Uint8Array([1, 2])
  for (const value of [null, undefined, 1, 2n, true, 'text', new Date(0), bytes, [1, ['a', null]], { a: { b: [1] } }])
    expect(isSerializedAlike(value)).toBe(true)
  expect(isSerializedAlike(Object.assign(Object.create(null), { a: 1 }))).toBe(true)
})

test('what says itself how it is written is not: classes, toJSON, functions, and what lies in a circle', () => {
  const circle: unknown[] = []
  circle.push(circle)
  class Day extends Date {}
  for (const value of [
    new Decimal(),
    [new Decimal()],
    { at: { toJSON: () => 'now' } },
    () => 1,
    { run: () => 1 },
    Symbol('one'),
    new Map(),
    circle,
    new Day(0),
  ])
    expect(isSerializedAlike(value)).toBe(false)
})
