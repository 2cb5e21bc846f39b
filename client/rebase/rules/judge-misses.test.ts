import { describe, expect, test } from 'vitest'
import type { Rejection } from '../../../protocol/index.ts'
import { dependency, groupByKind, judgeMisses, type Miss } from './judge-misses.ts'

const refused: Rejection = { kind: 'refused', message: 'no' }
const judge = (attempted: readonly number[], misses: Readonly<Record<number, Miss>>) => {
  const list = [1, 2, 3, 4].map((counter) => ({ counter, attempted: attempted.includes(counter) }))
  const { failed, waiting } = judgeMisses(list, new Map(Object.entries(misses).map(([on, miss]) => [Number(on), miss])))
  return { failed: [...failed], waiting: [...waiting] }
}

describe('RBS-R5 mutations that could not be done again', () => {
  test('fail with their own reason, and with those that build on them', () => {
    expect(judge([], { 2: { rejection: refused }, 3: { on: 2 } })).toEqual({
      failed: [
        [2, refused],
        [3, dependency(2)],
      ],
      waiting: [],
    })
  })

  test('wait where a push may have brought them to the server, and so do those that build on them, however far', () => {
    const misses = { 1: { rejection: refused }, 2: { on: 1 }, 3: { on: 2 } }
    expect(judge([1], misses)).toEqual({ failed: [], waiting: [1, 2, 3] })
  })

  test('that were attempted wait also where they build on one that fails', () => {
    expect(judge([3], { 2: { rejection: refused }, 3: { on: 2 }, 4: { on: 3 } })).toEqual({
      failed: [[2, refused]],
      waiting: [3, 4],
    })
  })

  test('are none where nothing was missed', () => {
    expect(judge([1, 2], {})).toEqual({ failed: [], waiting: [] })
  })
})

test('runs of patches and of actions keep the order of the mutations', () => {
  const list = ['patch', 'patch', 'action', 'patch'].map((kind, counter) => ({
    kind: kind as 'patch' | 'action',
    counter,
  }))
  expect(groupByKind(list).map((group) => group.map(({ counter }) => counter))).toEqual([[0, 1], [2], [3]])
  expect(groupByKind([])).toEqual([])
})
