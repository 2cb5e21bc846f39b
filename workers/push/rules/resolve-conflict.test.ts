import { describe, expect, test } from 'vitest'
import type { ConflictPolicy } from '../../../db/index.ts'
import type { PatchRow } from '../../../protocol/index.ts'
import { MutationRejected } from './mutation-rejected.ts'
import { type FoundConflict, resolveConflict } from './resolve-conflict.ts'

const row: PatchRow = {
  o: 'u',
  t: 'public.note',
  a: 'all',
  k: { id: '1' },
  d: { title: 'mine', rank: '2' },
  b: { title: { v: 'old' }, rank: { v: '1' } },
}
const conflict: FoundConflict = {
  server: { id: '1', title: 'theirs', rank: '1' },
  basis: { title: 'old', rank: '1' },
  columns: ['title'],
}
const resolve = (policy: ConflictPolicy) => resolveConflict(policy, row, conflict)

function rejectionBy(policy: ConflictPolicy): unknown {
  try {
    return resolve(policy)
  } catch (error) {
    if (error instanceof MutationRejected) return error.rejection
    throw error
  }
}

const refused = {
  kind: 'conflict',
  message: expect.any(String),
  table: 'public.note',
  key: { id: '1' },
  columns: ['title'],
  row: conflict.server,
}

test('CON-02 PSH-R6 `reject` refuses with the row as the server has it, and the columns in conflict', () => {
  expect(rejectionBy('reject')).toEqual(refused)
})

describe('a resolver', () => {
  test('CON-04 PSH-R6 is shown both sides and what the author saw, and its answer is written', () => {
    let shown: unknown = null
    const resolved = resolve((both) => {
      shown = both
      return { title: `${both.server.title} and ${both.mine.title}` }
    })
    expect(resolved).toEqual({ title: 'theirs and mine' })
    expect(shown).toEqual({ ...conflict, mine: { title: 'mine', rank: '2' } })
  })

  test.each([
    ['NULL', { title: null }],
    ['an empty text', { title: '' }],
    ['nothing, so that the server’s stays', {}],
  ])('PSH-R6 may answer %s', (_, answer) => {
    expect(resolve(() => answer)).toEqual(answer)
  })

  test('CON-04 PSH-R6 that throws refuses, and its words stay here', () => {
    const rejection = rejectionBy(() => {
      throw new Error('secret words')
    })
    expect(rejection).toEqual(refused)
    expect(JSON.stringify(rejection)).not.toContain('secret words')
  })

  test.each<[string, unknown]>([
    ['a column that is not in conflict', { title: 'x', rank: '9' }],
    ['the key', { id: '2' }],
    ['a column that there is not', { nothing: 'x' }],
    ['a number', { title: 1 }],
    ['undefined in a column', { title: undefined }],
    ['a text that cannot be stored', { title: 'a\0b' }],
    ['half a character', { title: '\ud800' }],
    ['nothing at all', undefined],
    ['null', null],
    ['a text', 'title'],
    ['a list of values', ['x']],
    ['an empty list', []],
    ['a promise', Promise.resolve({ title: 'x' })],
    ['a date', new Date(0)],
    ['a map', new Map([['title', 'x']])],
  ])('PSH-R6 that answers %s writes nothing: it is refused as a conflict', (_, answer) => {
    expect(rejectionBy((() => answer) as unknown as ConflictPolicy)).toEqual(refused)
  })
})
