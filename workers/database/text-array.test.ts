import { expect, test } from 'vitest'
import { textArray } from './text-array.ts'

test('an array as text escapes what has a meaning in it, and tells NULL from a text that says so', () => {
  expect(textArray(['a', null, 'NULL', 'q"b\\', ''])).toBe('{"a",NULL,"NULL","q\\"b\\\\",""}')
})
