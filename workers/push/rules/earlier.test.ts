import { describe, expect, test } from 'vitest'
import type { PatchRow, PredictedChange, Row } from '../../../protocol/index.ts'
import {
  basisCounters,
  basisEffects,
  basisOf,
  type Earlier,
  EarlierMutations,
  earlierSchema,
  lastPredicted,
} from './earlier.ts'

const NOTE = 'public.note'
const earlier = (counter: number, more: Partial<Earlier> = {}): Earlier => ({
  counter,
  status: 'committed',
  predicted: null,
  effects: null,
  ...more,
})
const update = (d: Row, b: Extract<PatchRow, { o: 'u' }>['b'], k: Row = { id: '1' }): PatchRow => ({
  o: 'u',
  t: NOTE,
  a: 'all',
  k,
  d,
  b,
})
const predicted = (d: Row, k: Row = { id: '1' }): PredictedChange => ({ o: 'u', t: NOTE, a: 'all', k, d })
const known = (...all: Earlier[]) => {
  const mutations = new EarlierMutations()
  for (const one of all) mutations.add(one)
  return mutations
}

describe('what an earlier mutation left in a column', () => {
  const mutations = known(
    earlier(1, { predicted: [predicted({ title: 'a', rank: null }), predicted({ title: 'b' }, { id: '2' })] }),
    earlier(2, {
      predicted: [predicted({ title: 'a', slug: 's' })],
      effects: [{ t: NOTE, k: { id: '1' }, d: { title: 'by a trigger' } }],
    }),
    earlier(3, { status: 'rejected', effects: [{ t: NOTE, k: { id: '1' }, d: { title: 'before it' } }] }),
    earlier(4, { predicted: [{ o: 'd', t: NOTE, a: 'all', k: { id: '1' } }] }),
  )
  const leftBy = (counter: number, column: string, k: Row = { id: '1' }, table = NOTE) =>
    mutations.valueOf(counter, table, k, column)

  test('PSH-R5 is what it predicted, NULL included', () => {
    expect(leftBy(1, 'title')).toBe('a')
    expect(leftBy(1, 'rank')).toBeNull()
    expect(leftBy(1, 'title', { id: '2' })).toBe('b')
  })

  test('CON-05 CON-14 PSH-R5 is what a trigger made of it, column by column', () => {
    expect(leftBy(2, 'title')).toBe('by a trigger')
    expect(leftBy(2, 'slug')).toBe('s')
  })

  test('PSH-R5 of a rejected one is the basis that it had', () => {
    expect(mutations.statusOf(3)).toBe('rejected')
    expect(leftBy(3, 'title')).toBe('before it')
  })

  test('PSH-R5 is not known of what it did not write, not of a row it deleted, nor of a mutation that nobody knows', () => {
    expect(leftBy(1, 'body')).toBeUndefined()
    expect(leftBy(1, 'title', { id: '3' })).toBeUndefined()
    expect(leftBy(1, 'title', { id: '1' }, 'public.other')).toBeUndefined()
    expect(leftBy(4, 'title')).toBeUndefined()
    expect(leftBy(9, 'title')).toBeUndefined()
    expect(mutations.statusOf(9)).toBeNull()
  })

  test('is never what every object has: a column may have such a name', () => {
    expect(leftBy(1, 'constructor')).toBeUndefined()
    expect(leftBy(1, 'toString')).toBeUndefined()
  })

  test('a key of several columns is the same in any order', () => {
    const mine = known(earlier(1, { predicted: [predicted({ title: 'x' }, { org: 'a', id: '1' })] }))
    expect(mine.valueOf(1, NOTE, { id: '1', org: 'a' }, 'title')).toBe('x')
    expect(mine.valueOf(1, NOTE, { id: 'a', org: '1' }, 'title')).toBeUndefined()
  })
})

describe('the basis of a row', () => {
  const mutations = known(earlier(1, { predicted: [predicted({ title: 'a' })] }))

  test('PSH-R5 is what its author saw, or what the mutation it names left; what nothing tells is left out', () => {
    const row = update(
      { title: 'x', rank: '2', slug: 's', body: 'b' },
      { title: { m: 1 }, rank: { v: null }, slug: { m: 1 }, body: { m: 7 } },
    )
    expect(basisOf(row, mutations)).toEqual({ title: 'a', rank: null })
  })

  test('is none for an insert and for a delete', () => {
    expect(basisOf({ o: 'i', t: NOTE, a: 'all', k: { id: '1' }, d: { id: '1' } }, mutations)).toEqual({})
    expect(basisOf({ o: 'd', t: NOTE, a: 'all', k: { id: '1' } }, mutations)).toEqual({})
  })

  test('rests on the mutations it names, each once', () => {
    const rows = [
      update({ a: '1', b: '1' }, { a: { m: 5 }, b: { v: 'x' } }),
      update({ a: '1', b: '1' }, { a: { m: 2 }, b: { m: 5 } }),
      { o: 'd' as const, t: NOTE, a: 'all', k: { id: '9' } },
    ]
    expect(basisCounters(rows)).toEqual([5, 2])
    expect(basisCounters([])).toEqual([])
  })
})

test('PSH-R5 a rejected patch hands on the basis it had, through any number of rejections', () => {
  const first = [update({ title: 'b' }, { title: { v: 'a' } }), { o: 'd' as const, t: NOTE, a: 'all', k: { id: '2' } }]
  const effects = basisEffects(first, known())
  expect(effects).toEqual([{ t: NOTE, k: { id: '1' }, d: { title: 'a' } }])
  const mutations = known(earlier(1, { status: 'rejected', effects }))
  const second = basisEffects([update({ title: 'c' }, { title: { m: 1 } })], mutations)
  mutations.add(earlier(2, { status: 'rejected', effects: second }))
  expect(basisOf(update({ title: 'd' }, { title: { m: 2 } }), mutations)).toEqual({ title: 'a' })
})

test('PSH-R5 a rejected patch of which no basis is known hands on none', () => {
  expect(basisEffects([update({ title: 'c' }, { title: { m: 1 } })], known())).toEqual([])
})

test('PSH-R11 of what an action predicted the last of each row counts, and a row that is gone does not', () => {
  const gone: PredictedChange = { o: 'd', t: NOTE, a: 'all', k: { id: '2' } }
  const back: PredictedChange = { o: 'i', t: NOTE, a: 'all', k: { id: '3' }, d: { id: '3' } }
  expect(
    lastPredicted([
      predicted({ title: 'a' }),
      predicted({ title: 'b' }, { id: '2' }),
      { ...gone, k: { id: '3' } },
      predicted({ title: 'c' }),
      back,
      gone,
    ]),
  ).toEqual([predicted({ title: 'c' }), back])
})

test('what is stored is read as strictly as it was written', () => {
  const stored = {
    counter: 1,
    status: 'committed',
    predicted: null,
    effects: [{ t: NOTE, k: { id: '1' }, d: { a: null } }],
  }
  expect(earlierSchema.parse(stored)).toEqual(stored)
  expect(earlierSchema.safeParse({ ...stored, status: 'settled' }).success).toBe(false)
  expect(earlierSchema.safeParse({ ...stored, effects: [{ t: NOTE, k: { id: null }, d: {} }] }).success).toBe(false)
})
