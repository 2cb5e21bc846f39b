import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Change, encodeChange } from '../protocol/index.ts'
import { encodeKept, type KeptChange } from './encoded-change.ts'

const text = fc.string({ unit: 'binary', maxLength: 8 })
const row = fc.dictionary(text, fc.option(text, { nil: null }), { noNullPrototype: true })
const change: fc.Arbitrary<Change> = fc
  .record({
    op: fc.constantFrom('insert', 'update', 'delete', 'truncate'),
    table: text,
    audience: text,
    key: row,
    data: row,
  })
  .map(({ op, table, audience, key, data }): Change => {
    if (op === 'insert') return { op, table, audience, data }
    if (op === 'update') return { op, table, audience, key, data }
    return op === 'delete' ? { op, table, audience, key } : { op: 'truncate', table, audience: null }
  })

const kept = (changed: Partial<KeptChange>): KeptChange => {
  return {
    table: 'public.t',
    operation: 'insert',
    key: '{"id":"1"}',
    data: '{"id":"1"}',
    audience: 'org:1',
    ...changed,
  }
}

describe('the text of a change', () => {
  test('DIS-R7 is what encoding the change itself would print, character for character', () => {
    fc.assert(
      fc.property(change, (one) => {
        const key = 'key' in one ? JSON.stringify(one.key) : null
        const data = 'data' in one ? JSON.stringify(one.data) : null
        const { table, op: operation, audience } = one
        const told = encodeKept({ table, operation, key, data, audience })
        expect(told).toEqual({ audience: one.audience, text: JSON.stringify(encodeChange(one)) })
      }),
    )
  })

  test('DIS-R7 keeps the spaces and the order that jsonb prints', () => {
    expect(encodeKept(kept({ data: '{"b": null, "aa": "x y"}' }))?.text).toBe(
      '{"o":"i","t":"public.t","a":"org:1","d":{"b": null, "aa": "x y"}}',
    )
  })

  test('SEC-04 a mutation is told to its author as it is kept', () => {
    const data = '{"counter": 3, "rejection": null, "predicted": null}'
    expect(encodeKept(kept({ operation: 'mutation', data, audience: 'client:x' }))).toEqual({
      audience: 'client:x',
      text: data,
    })
  })

  test.each([
    ['a row without an audience', { audience: null }],
    ['an update without an audience', { audience: null, operation: 'update' }],
    ['a delete without an audience', { audience: null, operation: 'delete' }],
    ['a mutation without an audience', { audience: null, operation: 'mutation' }],
    ['rights', { audience: null, operation: 'rights' }],
  ])('SEC-04 %s is told to nobody, least of all as a TRUNCATE to everyone', (_, changed) => {
    expect(encodeKept(kept(changed))).toBeNull()
  })

  test('SEC-04 of a definition everyone is told its version, and nothing else', () => {
    const changed = { operation: 'definition', key: '{"version":"3"}', data: '{"hash":"h"}', audience: null }
    expect(encodeKept(kept(changed))).toEqual({ audience: null, text: '{"o":"v","k":{"version":"3"}}' })
  })

  test('a TRUNCATE is told to everyone', () => {
    expect(encodeKept(kept({ operation: 'truncate', key: null, data: null }))).toEqual({
      audience: null,
      text: '{"o":"t","t":"public.t"}',
    })
  })

  test.each([
    ['an operation of a later version', { operation: 'merge' }],
    ['an insert without its row', { data: null }],
    ['an update without its key', { operation: 'update', key: null }],
    ['a delete without its key', { operation: 'delete', key: null }],
  ])('%s is no change that could be told', (_, changed) => {
    expect(() => encodeKept(kept(changed))).toThrow(expect.objectContaining({ kind: 'corrupt' }))
  })
})
