import { describe, expect, test } from 'vitest'
import { areAlike, judgeSums, type TableSums } from './judge-sums.ts'

const sums = (of: Record<string, [rows: number, digest: string]>): TableSums =>
  new Map(Object.entries(of).map(([audience, [rows, digest]]) => [audience, { rows, digest }]))
const A = sums({ all: [2, '7'] })
const B = sums({ all: [2, '8'] })
const C = sums({ all: [3, '9'] })

describe('the verdict on a table', () => {
  test.each([
    ['the same from the start', A, A, C, true, 'alike'],
    ['the same once the stream brought what it lacked', A, B, A, true, 'alike'],
    ['another, and it did not change meanwhile', A, B, B, true, 'differs'],
    ['another, and it changed meanwhile', A, B, C, true, 'moving'],
    ['another, and the log tells of commits that others do not see', A, B, B, false, 'moving'],
  ] as const)('CHK-R1 %s', (_, server, before, after, isExact, verdict) => {
    expect(judgeSums(server, before, after, isExact)).toBe(verdict)
  })

  test('CHK-R1 an audience more, or less, or as many other rows is a difference', () => {
    expect(areAlike(A, sums({ all: [2, '7'], 'org:1': [1, '1'] }))).toBe(false)
    expect(areAlike(A, sums({}))).toBe(false)
    expect(areAlike(A, B)).toBe(false)
    expect(areAlike(sums({}), sums({}))).toBe(true)
  })
})
