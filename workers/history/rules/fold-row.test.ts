import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Row } from '../../../protocol/index.ts'
import { type RowChange, RowFold } from './fold-row.ts'

const COLUMNS = ['a', 'b', 'c']
const rowOf = fc.record({
  a: fc.constantFrom('1', '2', null),
  b: fc.constantFrom('1', '2'),
  c: fc.constantFrom('1', '2'),
})

/** Changes a row as steps say, and answers each state with the change that led to it, oldest first. */
function chronicle(
  first: Row | null,
  steps: readonly Row[],
): { readonly states: (Row | null)[]; readonly changes: RowChange[] } {
  const states = [first]
  const changes: RowChange[] = []
  for (const [index, step] of steps.entries()) {
    const row = states.at(-1) ?? null
    if (row === null) {
      changes.push({ operation: 'insert', data: step, before: null })
      states.push(step)
    } else if (index % 3 === 2) {
      changes.push({ operation: 'delete', data: null, before: row })
      states.push(null)
    } else {
      const different = COLUMNS.filter((name) => row[name] !== step[name])
      const pick = (from: Row) => Object.fromEntries(different.map((name) => [name, from[name] ?? null]))
      changes.push({ operation: 'update', data: pick(step), before: pick(row) })
      states.push(step)
    }
  }
  return { states, changes }
}

test('HST-R3 folding back from now gives the row of each place, also one that is older than history', () => {
  fc.assert(
    fc.property(
      fc.option(rowOf, { nil: null }),
      fc.array(rowOf, { maxLength: 9 }),
      fc.nat(),
      (first, steps, forgotten) => {
        const { states, changes } = chronicle(first, steps)
        // History may begin anywhere.
        const from = forgotten % (changes.length + 1)
        for (let place = from; place < states.length; place += 1) {
          const fold = new RowFold()
          for (const change of changes.slice(place).reverse()) fold.takeLater(change)
          for (const change of changes.slice(from, place).reverse()) if (!fold.isSettled) fold.takeEarlier(change)
          expect(fold.rowWith(states.at(-1) ?? null)).toEqual(states[place])
        }
      },
    ),
  )
})

test('HST-R3 a truncated row is not there; what it was before is told as far as changes tell it', () => {
  const fold = new RowFold()
  fold.takeLater({ operation: 'truncate', data: null, before: null })
  fold.takeLater({ operation: 'update', data: { a: '2' }, before: { a: '1' } })
  expect(fold.rowWith(null)).toEqual({ a: '1' })
  const after = new RowFold()
  after.takeEarlier({ operation: 'truncate', data: null, before: null })
  expect([after.isSettled, after.rowWith(null)]).toEqual([true, null])
})

test('OPS-R20 where former values are not kept a row is told only from its insertion on, and never with values of now', () => {
  const insert: RowChange = { operation: 'insert', data: { a: '1', b: '1' }, before: null }
  const update: RowChange = { operation: 'update', data: { b: '2' }, before: null }
  const removal: RowChange = { operation: 'delete', data: null, before: null }
  const at = (later: RowChange[], earlier: RowChange[], now: Row | null) => {
    const fold = new RowFold()
    for (const change of later) fold.takeLater(change)
    for (const change of earlier) if (!fold.isSettled) fold.takeEarlier(change)
    return fold.isUntold ? 'untold' : fold.rowWith(now)
  }
  expect(at([update], [], { a: '1', b: '2' })).toBe('untold')
  expect(at([update], [update], { a: '1', b: '2' })).toBe('untold')
  expect(at([update], [insert], { a: '1', b: '2' })).toEqual({ a: '1', b: '1' })
  expect(at([removal, update], [update, insert], null)).toEqual({ a: '1', b: '2' })
  expect(at([removal], [], null)).toBe('untold')
  expect(at([update, insert], [], { a: '1', b: '2' })).toBeNull()
  // An update that changed only what its reader is not told leaves what they are told as it is.
  expect(at([{ operation: 'update', data: null, before: null }], [], { a: '1' })).toEqual({ a: '1' })
})
