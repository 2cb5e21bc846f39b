import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../protocol/index.ts'
import { checkProtocol, isMutation, isStorable, parsePush } from './parse-mutation.ts'

const patch = (counter: unknown, more: object = {}) => ({
  counter,
  at: '2026-01-01T00:00:00.000Z',
  after: [],
  kind: 'patch',
  rows: [{ o: 'd', t: 'public.note', a: 'all', k: { id: '1' } }],
  ...more,
})
const action = (counter: number, more: object = {}) => ({
  counter,
  at: '2026-01-01T00:00:00.000Z',
  after: [],
  kind: 'action',
  name: 'act',
  args: null,
  predicted: null,
  ...more,
})
const push = (mutations: unknown, more: object = {}) => ({
  protocol: LIMITS.protocolVersion,
  client: 'client-0123456789',
  acknowledged: 0,
  mutations,
  ...more,
})
const contentsOf = (...mutations: unknown[]) => parsePush(push(mutations)).mutations.map(({ content }) => content)
const kinds = (...mutations: unknown[]) => contentsOf(...mutations).map((content) => content.kind)
const ofKind = (kind: string) => expect.objectContaining({ kind })

describe('a push', () => {
  test('PSH-R10 is read whole: each mutation with its number and the text that its digest is made of', () => {
    const sent = [patch(3), action(8, { args: { b: [1, 'x', null], a: true } })]
    const read = parsePush(push(sent, { acknowledged: 2 }))
    expect(read).toMatchObject({ client: 'client-0123456789', acknowledged: 2 })
    expect(read.mutations.map(({ counter }) => counter)).toEqual([3, 8])
    expect(read.mutations.map(({ content }) => content)).toEqual(sent)
    expect(read.mutations.map(({ json }) => JSON.parse(json))).toEqual(sent)
    expect(read.mutations.every(({ content }) => isMutation(content))).toBe(true)
  })

  test('PSH-R10 may be of nothing, which acknowledges alone', () => {
    expect(parsePush(push([])).mutations).toEqual([])
  })

  test.each<[string, unknown]>([
    ['a text', 'push'],
    ['nothing', null],
    ['a list', []],
    ['mutations that are no list', push({})],
    ['a client id that is too short', push([], { client: 'short' })],
    ['a client id of other letters', push([], { client: 'client 0123456789' })],
    ['a negative acknowledgement', push([], { acknowledged: -1 })],
    ['something else in it', push([], { extra: 1 })],
    ['a version that is a text', push([], { protocol: '4' })],
  ])('PSH-R10 is bad input where it is %s', (_, body) => {
    expect(() => parsePush(body)).toThrow(ofKind('bad-input'))
  })

  test('PSH-R10 of more mutations than a push may have is refused before any of them is read', () => {
    const many = Array.from({ length: LIMITS.pushMutations + 1 }, () => 'no mutation')
    expect(() => parsePush(push(many))).toThrow(ofKind('limit-exceeded'))
  })

  test('OUT-08 PSH-R10 of as many as a push may have is taken', () => {
    const most = Array.from({ length: LIMITS.pushMutations }, (_, index) => patch(index + 1))
    expect(parsePush(push(most)).mutations).toHaveLength(LIMITS.pushMutations)
  })
})

describe('a counter', () => {
  test.each<[string, unknown]>([
    ['that is not there', undefined],
    ['of zero', 0],
    ['below zero', -1],
    ['that is no whole number', 1.5],
    ['that is a text', '1'],
    ['beyond what is exact', 2 ** 53],
  ])('PSH-R10 %s has the whole push refused: nobody could be told which mutation it was', (_, counter) => {
    expect(() => parsePush(push([patch(1), patch(counter)]))).toThrow(ofKind('bad-input'))
  })

  test.each([[[2, 1]], [[1, 1]], [[1, 3, 2]]])(
    'PSH-R3 PSH-R10 out of order has the whole push refused: %j',
    (counters) => {
      expect(() => parsePush(push(counters.map((counter) => patch(counter))))).toThrow(ofKind('bad-input'))
    },
  )

  test('PSH-R10 is read of a mutation that is refused for something else', () => {
    expect(() => parsePush(push([{ counter: 2 }, patch(1)]))).toThrow(ofKind('bad-input'))
    expect(parsePush(push([{ counter: 2 }])).mutations[0]).toMatchObject({ counter: 2, content: { kind: 'invalid' } })
  })

  test.each(['text', 7, null, []])('PSH-R10 is not in an entry that is %j', (entry) => {
    expect(() => parsePush(push([entry]))).toThrow(ofKind('bad-input'))
  })
})

describe('each mutation for itself', () => {
  test.each<[string, object]>([
    ['of a kind that there is not', { kind: 'sql' }],
    ['without rows', { rows: [] }],
    ['with a row of no known operation', { rows: [{ o: 't', t: 'public.note', a: 'all', k: {} }] }],
    ['with a value that is no text', { rows: [{ o: 'i', t: 'public.note', a: 'all', k: { id: '1' }, d: { id: 1 } }] }],
    [
      'with a basis that is neither value nor mutation',
      { rows: [{ o: 'u', t: 't', a: 'a', k: {}, d: {}, b: { x: {} } }] },
    ],
    ['with a basis that is both', { rows: [{ o: 'u', t: 't', a: 'a', k: {}, d: {}, b: { x: { v: '', m: 1 } } }] }],
    ['made at a time of another zone', { at: '2026-01-01T00:00:00+01:00' }],
    ['made at no time', { at: 'yesterday' }],
    ['that builds on no number', { after: [0] }],
    ['with something else in it', { extra: true }],
    ['with a NUL', { rows: [{ o: 'd', t: 'public.note', a: 'all', k: { id: 'a\0' } }] }],
    ['with half a character', { rows: [{ o: 'd', t: 'public.note', a: 'all', k: { id: '\udc00' } }] }],
    ['with a NUL in a column’s name', { rows: [{ o: 'i', t: 't', a: 'a', k: {}, d: { 'a\0': '' } }] }],
  ])('REB-11 PSH-R10 one %s is invalid, and those beside it are taken', (_, more) => {
    expect(kinds(patch(1), patch(2, more), patch(3))).toEqual(['patch', 'invalid', 'patch'])
  })

  test('OUT-19 PSH-R10 one of too many rows or characters is beyond the limit, and those beside it are taken', () => {
    const row = { o: 'd', t: 'public.note', a: 'all', k: { id: '1' } }
    const rows = (count: number) => patch(1, { rows: Array.from({ length: count }, () => row) })
    expect(kinds(rows(LIMITS.mutationRows), patch(2))).toEqual(['patch', 'patch'])
    expect(kinds(rows(LIMITS.mutationRows + 1), patch(2))).toEqual(['limit-exceeded', 'patch'])
    expect(kinds(action(1, { args: 'x'.repeat(LIMITS.mutationChars) }), patch(2))).toEqual(['limit-exceeded', 'patch'])
  })

  test('PSH-R10 the limit of characters is one of the whole mutation, to the character', () => {
    const spare = LIMITS.mutationChars - JSON.stringify(action(1, { args: '' })).length
    expect(kinds(action(1, { args: 'x'.repeat(spare) }))).toEqual(['action'])
    expect(kinds(action(1, { args: 'x'.repeat(spare + 1) }))).toEqual(['limit-exceeded'])
  })

  test('PSH-R10 one nested deeper than can be walked is bad input, not a crash', () => {
    let args: unknown = 1
    for (let depth = 0; depth < 100_000; depth += 1) args = [args]
    expect(() => parsePush(push([action(1, { args })]))).toThrow(ofKind('bad-input'))
  })
})

test.each([
  ['of this version', { protocol: LIMITS.protocolVersion }, false],
  ['of an older one', { protocol: LIMITS.protocolVersion - 1 }, true],
  ['of a later one', { protocol: LIMITS.protocolVersion + 1 }, true],
  ['that says none', {}, false],
  ['that is none', null, false],
])('a request %s is told to upgrade, or is read further', (_, body, isOther) => {
  if (isOther) expect(() => checkProtocol(body)).toThrow(ofKind('upgrade-required'))
  else expect(() => checkProtocol(body)).not.toThrow()
})

test('a push of another version is told so, whatever else of it cannot be read', () => {
  expect(() => parsePush({ protocol: LIMITS.protocolVersion + 1, mutations: 'other' })).toThrow(
    ofKind('upgrade-required'),
  )
})

test.each<[unknown, boolean]>([
  ['', true],
  ['💧', true],
  ['\0', false],
  ['a\ud83d', false],
  ['\ude00', false],
  [null, true],
  [0, true],
  [['a', { b: 'c' }], true],
  [['a', { b: ['\0'] }], false],
  [{ '\ud800': 'a' }, false],
])('PSH-R10 whether Postgres can hold %j is %s', (value, storable) => {
  expect(isStorable(value)).toBe(storable)
})
