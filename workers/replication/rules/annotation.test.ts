import { expect, test } from 'vitest'
import { joinAnnotations, readAnnotation } from './annotation.ts'

const PREFIX = 'tidemark.annotate'

test('CAP-22 CAP-R32 an annotation is an object that jsonb can hold, of bounded size and depth', () => {
  expect(readAnnotation(PREFIX, ' {"a": [1, {"b": "ü"}]} ')).toBe(' {"a": [1, {"b": "ü"}]} ')
  expect(readAnnotation('other', '{}')).toBeNull()
  for (const content of [
    '',
    'null',
    '[]',
    '{"a":"\\u0000"}',
    '{"\\ud800":1}',
    '{"a":1e999}',
    `{"a":"${'x'.repeat(65_536)}"}`,
  ])
    expect(readAnnotation(PREFIX, content)).toBeNull()
  const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`
  expect(readAnnotation(PREFIX, nested(99))).not.toBeNull()
  expect(readAnnotation(PREFIX, nested(100))).toBeNull()
})

test('CAP-22 CAP-R32 several are one, later names last, however many there are', () => {
  expect(joinAnnotations(null, '{"a": 1}')).toBe('{"a": 1}')
  expect(JSON.parse(joinAnnotations(' {"a": 1} ', '{"b": {}}'))).toEqual({ a: 1, b: {} })
  expect(joinAnnotations('{ }', '{"a": 1}')).toBe('{"a": 1}')
  expect(joinAnnotations('{"a": 1}', '{}')).toBe('{"a": 1}')
  let joined: string | null = null
  for (let index = 0; index < 100; index += 1) joined = joinAnnotations(joined, `{"k${index}": "${'x'.repeat(2_000)}"}`)
  expect(joined?.length).toBeLessThanOrEqual(65_536)
})
