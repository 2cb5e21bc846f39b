import { expect, test } from 'vitest'
import { isNewEnough } from './node-binary.ts'

test.each([
  ['20.20.2', false],
  ['22.11.0', false],
  ['22.12.0', true],
  ['24.0.0', true],
])('OPS-05 wrangler runs on Node %s: %s', (version, expected) => {
  expect(isNewEnough(version)).toBe(expected)
})
