import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeChange,
  decodeMarked,
  type MarkedChange,
  MarkerEncoder,
  type PredictedChange,
  type WireChange,
} from './index.ts'

const key = { id: '1' }
const predicted: PredictedChange[] = [
  { o: 'u', t: 'public.issue', a: 'org:1', k: key, d: { title: 'new', state: 'done' } },
  { o: 'i', t: 'public.comment', a: 'org:1', k: { id: 'c' }, d: { id: 'c', body: 'hello', at: null } },
]

const encodeAll = (images: readonly PredictedChange[], committed: readonly WireChange[]): MarkedChange[] => {
  const encoder = new MarkerEncoder(images)
  return [{ o: 'm', c: 1 }, ...committed.map((change) => encoder.encode(change))]
}

describe('markers', () => {
  it('DIS-11 what was predicted exactly is named by its number alone', () => {
    const committed: WireChange[] = [
      { o: 'u', t: 'public.issue', a: 'org:1', k: key, d: { title: 'new', state: 'done' } },
      { o: 'i', t: 'public.comment', a: 'org:1', d: { id: 'c', body: 'hello', at: null } },
    ]
    expect(encodeAll(predicted, committed).slice(1)).toEqual([
      { o: 'p', p: 0 },
      { o: 'p', p: 1 },
    ])
  })

  it('DIS-12 exactly the columns that differ return, and those not written are named', () => {
    const committed: WireChange[] = [
      { o: 'i', t: 'public.comment', a: 'org:1', d: { id: 'c', body: 'hello', at: '2026-01-01' } },
      { o: 'u', t: 'public.issue', a: 'org:1', k: key, d: { title: 'New', updated_at: 'now' } },
    ]
    expect(encodeAll(predicted, committed).slice(1)).toEqual([
      { o: 'p', p: 1, d: { at: '2026-01-01' } },
      { o: 'p', p: 0, d: { title: 'New', updated_at: 'now' }, x: ['state'] },
    ])
  })

  it('REB-12 what nobody predicted travels whole, also another row, operation or audience', () => {
    const committed: WireChange[] = [
      { o: 'u', t: 'public.issue', a: 'org:1', k: { id: '2' }, d: { title: 'new' } },
      { o: 'd', t: 'public.issue', a: 'org:1', k: key },
      { o: 'u', t: 'public.issue', a: 'org:2', k: key, d: { title: 'new' } },
    ]
    expect(encodeAll(predicted, committed).slice(1)).toEqual(committed)
  })

  it('DIS-14 a prediction that is not known cannot be read, rows told whole can', () => {
    expect(
      decodeMarked(
        [
          { o: 'm', c: 1 },
          { o: 'p', p: 0 },
        ],
        null,
      ),
    ).toBeNull()
    expect(
      decodeMarked(
        [
          { o: 'm', c: 1 },
          { o: 'p', p: 7 },
        ],
        predicted,
      ),
    ).toBeNull()
    expect(
      decodeMarked(
        [
          { o: 'm', c: 1 },
          { o: 'd', t: 'public.issue', a: 'org:1', k: key },
        ],
        null,
      ),
    ).toEqual([{ op: 'delete', table: 'public.issue', audience: 'org:1', key }])
  })

  it('MRK-R1 whatever was predicted and committed, the author has the changes as captured', () => {
    const value = fc.option(fc.constantFrom('a', 'b'), { nil: null })
    const row = fc.dictionary(fc.constantFrom('x', 'y', 'z'), value)
    const base = { t: fc.constantFrom('public.t', 'public.u'), a: fc.constantFrom('org:1', 'org:2') }
    const id = fc.record({ id: fc.constantFrom('1', '2') })
    const insert = fc
      .record({ o: fc.constant('i' as const), ...base, k: id, d: row })
      .map((one) => ({ ...one, d: { ...one.d, ...one.k } }))
    const update = fc.record({ o: fc.constant('u' as const), ...base, k: id, d: row })
    const remove = fc.record({ o: fc.constant('d' as const), ...base, k: id })
    const images = fc.array(fc.oneof(insert, update, remove), { maxLength: 6 })
    fc.assert(
      fc.property(images, images, (prediction, done) => {
        const committed = done.map((change): WireChange => {
          if (change.o !== 'i') return change
          const { k: _, ...wire } = change
          return wire
        })
        expect(decodeMarked(encodeAll(prediction, committed), prediction)).toEqual(committed.map(decodeChange))
      }),
    )
  })
})

it('FLD-134 MRK-R1 a column with the name of something that every object has is told like any other', () => {
  const at = { t: 'public.t', a: 'org:1', k: { id: '1' } }
  const committed: WireChange = { o: 'u', ...at, d: { title: 'b' } }
  const predicted: PredictedChange[] = [{ o: 'u', ...at, d: { constructor: 'mine', title: 'b' } }]
  const told = new MarkerEncoder(predicted).encode(committed)
  expect(told).toEqual({ o: 'p', p: 0, x: ['constructor'] })
  expect(decodeMarked([told], predicted)).toEqual([decodeChange(committed)])
})
