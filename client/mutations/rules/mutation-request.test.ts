import { describe, expect, test } from 'vitest'
import { LIMITS, type PatchRow, pushedMutationSchema } from '../../../protocol/index.ts'
import { mutationRequest, type Unsent } from './mutation-request.ts'

const at = '2026-11-20T00:00:00.000Z'
const row = (id: string, title: string): PatchRow => ({ o: 'i', t: 'note', a: 'all', k: { id }, d: { id, title } })
const patch = (rows: PatchRow[], after: number[] = []): Unsent => ({
  counter: 7,
  at,
  version: 2,
  after,
  kind: 'patch',
  rows,
})
const action = (args: unknown, rows: PatchRow[]): Unsent => ({
  counter: 7,
  at,
  version: 2,
  after: [],
  kind: 'action',
  name: 'act',
  args,
  keys: null,
  predicted: rows.flatMap((one) => (one.o === 'i' ? [{ o: one.o, t: one.t, a: one.a, k: one.k, d: one.d }] : [])),
})

describe('request of a mutation', () => {
  test('OBX-R4 it is one that the server reads, with what it predicts', () => {
    for (const unsent of [patch([row('1', 'a')], [3]), action({ deep: [1, null] }, [row('1', 'a')])]) {
      const request = mutationRequest(unsent)
      if ('tooLarge' in request) throw new Error('too large')
      const read = pushedMutationSchema.parse(JSON.parse(request.text))
      expect(read).toMatchObject({ counter: 7, at, kind: unsent.kind })
      expect(request.predicted).toEqual([{ o: 'i', t: 'note', a: 'all', k: { id: '1' }, d: { id: '1', title: 'a' } }])
    }
  })

  test('OUT-19 OBX-R11 one beyond a bound is refused by type; an action goes without its prediction first', () => {
    const large = 'x'.repeat(LIMITS.mutationChars)
    const many = Array.from({ length: LIMITS.mutationRows + 1 }, (_, index) => row(String(index), 'a'))
    const builds = Array.from({ length: LIMITS.mutationDependencies + 1 }, (_, index) => index + 1)
    const tooLarge = { tooLarge: { kind: 'limit-exceeded' } }
    expect(mutationRequest(patch([row('1', large)]))).toMatchObject(tooLarge)
    expect(mutationRequest(patch(many))).toMatchObject(tooLarge)
    expect(mutationRequest(patch([row('1', 'a')], builds))).toMatchObject(tooLarge)
    expect(mutationRequest(action(large, []))).toMatchObject(tooLarge)
    for (const rows of [[row('1', large)], many]) {
      const request = mutationRequest(action({ id: '1' }, rows))
      expect(request).toMatchObject({ predicted: null })
      if ('text' in request) expect(JSON.parse(request.text)).toMatchObject({ args: { id: '1' }, predicted: null })
    }
  })
})
