import { expect, test } from 'vitest'
import { isLeftToPush, isOfKeys } from './left-to-push.ts'

test('LSE-R7 a refusal of keys, and of what builds on it, is left to the answer of the push', () => {
  const message = ''
  expect(isOfKeys({ kind: 'key-taken', message })).toBe(true)
  expect(isOfKeys({ kind: 'constraint', message })).toBe(false)
  expect(isLeftToPush({ kind: 'key-unleased', message }, () => false)).toBe(true)
  const builds = { kind: 'dependency', message, on: 4 } as const
  expect(isLeftToPush(builds, (on) => on === 4)).toBe(true)
  expect(isLeftToPush(builds, () => false)).toBe(false)
  expect(isLeftToPush({ kind: 'conflict', message, on: 4 }, () => true)).toBe(false)
})
