import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  asLsn,
  decodeChange,
  decodeMarked,
  type Lsn,
  type MarkedChange,
  type PredictedChange,
  type TransactionMutation,
  type WireChange,
} from '../../../protocol/index.ts'
import { type Author, MutationTeller } from './author.ts'

const lsn = (step: number): Lsn => asLsn(step.toString(16).padStart(16, '0'))
const NOTE = 'public.note'
const me: Author = { audience: 'client:me', after: lsn(0), rowsTo: null }
const update = (id: string, d: Record<string, string | null>): WireChange => ({
  o: 'u',
  t: NOTE,
  a: 'org:1',
  k: { id },
  d,
})
const asPredicted = (change: WireChange) => change as PredictedChange

const kept = (change: WireChange, at = 5) => ({
  lsn: lsn(at),
  audience: change.o === 't' ? null : change.a,
  text: JSON.stringify(change),
})
const mutation = (predicted: readonly PredictedChange[] | null, more: Partial<TransactionMutation> = {}, at = 5) => {
  const made: TransactionMutation = { client: 'me', counter: 3, rejection: null, predicted, ...more }
  const { client, ...text } = made
  return { lsn: lsn(at), audience: `client:${client}`, text: JSON.stringify(text) }
}
const parsed = (told: (string | null)[]): MarkedChange[] => told.map((text) => JSON.parse(text ?? 'null'))

describe('of their own mutation an author is told', () => {
  test('DIS-11 MRK-R2 a note first, and a change that came as predicted by its number alone', () => {
    const change = update('1', { title: 'a' })
    const teller = new MutationTeller(me)
    expect(parsed([teller.tell(mutation([asPredicted(change)])), teller.tell(kept(change))])).toEqual([
      { o: 'm', c: 3 },
      { o: 'p', p: 0 },
    ])
  })

  test('DIS-12 MRK-R1 what a trigger made otherwise, column by column, and what was not written', () => {
    const teller = new MutationTeller(me)
    teller.tell(mutation([asPredicted(update('1', { title: 'a', rank: '1' }))]))
    expect(parsed([teller.tell(kept(update('1', { title: 'A', seq: '7' })))])).toEqual([
      { o: 'p', p: 0, d: { title: 'A', seq: '7' }, x: ['rank'] },
    ])
  })

  test('MRK-R2 why it was rejected, in the note', () => {
    const rejection = { kind: 'refused' as const, message: 'No.' }
    expect(parsed([new MutationTeller(me).tell(mutation(null, { rejection }))])).toEqual([
      { o: 'm', c: 3, r: rejection },
    ])
  })

  test('DIS-R18 MRK-R3 up to where they asked for rows, the rows; beyond it what differs', () => {
    const change = update('1', { title: 'a' })
    const teller = new MutationTeller({ ...me, rowsTo: lsn(5) })
    const told = (at: number) =>
      parsed([teller.tell(mutation([asPredicted(change)], {}, at)), teller.tell(kept(change, at))]).map(({ o }) => o)
    expect(told(5)).toEqual(['m', 'u'])
    expect(told(6)).toEqual(['m', 'p'])
  })

  test('MRK-R3 the rows of one transaction that is read from its middle, or is too large', () => {
    const change = update('1', { title: 'a' })
    const teller = new MutationTeller(me, lsn(5))
    teller.tell(mutation([asPredicted(change)]))
    expect(teller.tell(kept(change))).toBe(JSON.stringify(change))
    teller.tell(mutation([asPredicted(change)], {}, 6))
    expect(teller.tell(kept(change, 6))).toBe('{"o":"p","p":0}')
  })

  test('MRK-R1 all that was captured, in its order, whatever they predicted', () => {
    const row = fc.dictionary(fc.constantFrom('title', 'rank', 'seq'), fc.constantFrom('a', 'b', null), { minKeys: 1 })
    const id = fc.constantFrom('1', '2')
    const table = fc.constantFrom(NOTE, 'public.other')
    const audience = fc.constantFrom('org:1', 'org:2')
    const common = { t: table, a: audience, k: fc.record({ id }) }
    const predicted = fc.oneof(
      fc.record({ o: fc.constant('u' as const), ...common, d: row }),
      fc.record({ o: fc.constant('d' as const), ...common }),
      id.chain((key) =>
        fc.record({
          o: fc.constant('i' as const),
          t: table,
          a: audience,
          k: fc.constant({ id: key }),
          d: row.map((d) => ({ ...d, id: key })),
        }),
      ),
    )
    const captured = fc.oneof(
      predicted.map((change): WireChange => {
        if (change.o !== 'i') return change
        const { k: _, ...rest } = change
        return rest
      }),
      fc.record({ o: fc.constant('t' as const), t: table }),
    )
    fc.assert(
      fc.property(fc.array(predicted, { maxLength: 5 }), fc.array(captured, { maxLength: 6 }), (frozen, changes) => {
        const teller = new MutationTeller(me)
        const told = [mutation(frozen), ...changes.map((change) => kept(change))].map((one) => teller.tell(one))
        // One for one, so that positions hold.
        expect(told).toHaveLength(changes.length + 1)
        expect(decodeMarked(parsed(told), frozen)).toEqual(changes.map(decodeChange))
      }),
      { numRuns: 500 },
    )
  })
})

describe('everyone else is told the rows alone', () => {
  const change = update('1', { title: 'a' })

  test('DIS-R17 SEC-04 nobody but its author has a prediction held against a row', () => {
    for (const teller of [new MutationTeller(null), new MutationTeller({ ...me, audience: 'client:other' })])
      expect(teller.tell(kept(change))).toBe(JSON.stringify(change))
  })

  test('DIS-R17 what was settled when the hello came is told as anyone’s, and its note not at all', () => {
    const teller = new MutationTeller({ ...me, after: lsn(5) })
    expect(teller.tell(mutation([asPredicted(change)]))).toBeNull()
    expect(teller.tell(kept(change))).toBe(JSON.stringify(change))
  })

  test('MRK-R1 a later transaction has nothing of the prediction before it', () => {
    const teller = new MutationTeller(me)
    teller.tell(mutation([asPredicted(change), asPredicted(change)]))
    teller.tell(kept(change))
    expect(teller.tell(kept(change, 6))).toBe(JSON.stringify(change))
  })
})
