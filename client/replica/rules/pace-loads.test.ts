import { expect, test } from 'vitest'
import type { ErrorKind } from '../../../protocol/index.ts'
import { countFailure, isGivenUp, NO_FAILED_LOADS } from './pace-loads.ts'

const after = (...kinds: readonly ErrorKind[]) => kinds.reduce(countFailure, NO_FAILED_LOADS)

test('MIG-R9 a load that fails six times for reasons of its own is given up', () => {
  const corrupt = Array.from({ length: 6 }, () => 'corrupt' as const)
  expect(isGivenUp(after(...corrupt.slice(1)))).toBe(false)
  expect(isGivenUp(after(...corrupt))).toBe(true)
})

test('MIG-R9 a server that is away is tried for ever, with growing pauses', () => {
  const away = after(...Array.from({ length: 50 }, () => 'unavailable' as const))
  expect([isGivenUp(away), away.count]).toEqual([false, 50])
})
