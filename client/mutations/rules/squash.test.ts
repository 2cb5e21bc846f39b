import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PatchRow } from '../../../protocol/index.ts'
import { mergeRows, rowName } from './merge-rows.ts'
import { type Squashable, squash, type TableTies } from './squash.ts'

type Values = Record<string, string | null>

const insert = (id: string, d: Values, t = 'note'): PatchRow => ({ o: 'i', t, a: 'all', k: { id }, d: { id, ...d } })
const remove = (id: string, t = 'note'): PatchRow => ({ o: 'd', t, a: 'all', k: { id } })
const update = (
  id: string,
  d: Values,
  b: Record<string, { v: string | null } | { m: number }>,
  t = 'note',
): PatchRow => ({ o: 'u', t, a: 'all', k: { id }, d, b })

const patch = (counter: number, rows: PatchRow[], more: Partial<Squashable> = {}): Squashable => ({
  counter,
  open: true,
  kind: 'patch',
  tab: null,
  rows,
  cascaded: [],
  after: [],
  ...more,
})
const action = (counter: number, after: number[] = []): Squashable =>
  patch(counter, [], { kind: 'action', open: false, after })

const TIES: Record<string, TableTies> = {
  note: { columns: new Set(['id', 'slug', 'folder']), tables: new Set(['folder']) },
  folder: { columns: new Set(['id']), tables: new Set(['note']) },
}
const tiesOf = (table: string): TableTies => TIES[table] ?? { columns: new Set(['id']), tables: new Set() }
const squashed = (...mutations: Squashable[]) => squash(mutations, tiesOf)

describe('squash', () => {
  test('OUT-10 OBX-R1 five edits of a row go as one, of the earliest basis and the last values', () => {
    const words = ['H', 'He', 'Hel', 'Hell', 'Hello']
    const edits = words.map((title, index) =>
      patch(index + 1, [
        update(
          '1',
          { title, ...(index === 2 ? { rank: '7' } : {}) },
          {
            title: index === 0 ? { v: 'old' } : { m: index },
            ...(index === 2 ? { rank: { v: null } } : {}),
          },
        ),
      ]),
    )
    expect(squashed(...edits)).toEqual([
      {
        counter: 1,
        squashed: [2, 3, 4, 5],
        rows: [update('1', { title: 'Hello', rank: '7' }, { title: { v: 'old' }, rank: { v: null } })],
        after: [],
      },
    ])
  })

  test('OUT-11 OBX-R1 OBX-R3 create and edits go as one insert; create and delete as nothing', () => {
    const made: PatchRow = { ...insert('1', { title: 'a', seq: null }), z: ['seq', 'title'] } as PatchRow
    const edit = update('1', { title: 'b' }, { title: { m: 1 } })
    const rows = [{ ...insert('1', { title: 'b', seq: null }), z: ['seq'] }]
    expect(squashed(patch(1, [made]), patch(2, [edit]))).toEqual([{ counter: 1, squashed: [2], rows, after: [] }])
    expect(squashed(patch(1, [made]), patch(2, [edit]), patch(3, [remove('1')]))).toEqual([
      { counter: 1, squashed: [2, 3], rows: [], after: [] },
    ])
    // The row was deleted and made again, so the server's row is still to be deleted.
    expect(squashed(patch(1, [remove('1')]), patch(2, [insert('1', {})]), patch(3, [remove('1')]))).toEqual([
      { counter: 1, squashed: [2, 3], rows: [remove('1')], after: [] },
    ])
  })

  test('OBX-R3 a column that is back where it was is not sent, unless a later mutation builds on it', () => {
    const away = patch(1, [update('1', { title: 'b', rank: '1' }, { title: { v: 'a' }, rank: { v: '0' } })])
    const back = patch(2, [update('1', { title: 'a' }, { title: { m: 1 } })])
    expect(squashed(away, back)[0]?.rows).toEqual([update('1', { rank: '1' }, { rank: { v: '0' } })])
    const builds = patch(3, [update('1', { title: 'c' }, { title: { m: 2 } }), remove('2')])
    expect(squashed(away, back, builds)).toMatchObject([
      { rows: [update('1', { title: 'a', rank: '1' }, { title: { v: 'a' }, rank: { v: '0' } })] },
      // It builds on the one that took the other in: the server knows no other.
      { counter: 3, squashed: [], rows: [update('1', { title: 'c' }, { title: { m: 1 } }), remove('2')] },
    ])
  })

  test('OUT-12 OBX-R2 nothing is squashed across an action, a foreign change, or what builds on the first', () => {
    const first = patch(1, [update('1', { title: 'a' }, { title: { v: '' } })])
    const last = patch(3, [update('1', { title: 'b' }, { title: { m: 1 } })])
    const other = patch(2, [update('2', { title: 'x' }, { title: { v: '' } })])
    expect(squashed(first, other, last)).toHaveLength(1)
    expect(squashed(first, action(2), last)).toEqual([])
    expect(squashed(action(1), patch(2, first.rows as PatchRow[]), last)).toHaveLength(1)
    expect(squashed({ ...first, open: false }, other, last)).toEqual([])
    expect(squashed(first, other, { ...last, open: false })).toEqual([])
    expect(squashed(first, { ...other, after: [1] }, last)).toEqual([])
    expect(squashed(first, other, { ...last, after: [2] })).toEqual([])
    expect(squashed(first, { ...other, cascaded: [rowName(remove('1'))] }, last)).toEqual([])
    expect(squashed(first, other, { ...last, cascaded: ['any'] })).toEqual([])
    // It writes more rows than the first wrote: they would come too early.
    expect(squashed(first, other, patch(3, [...last.rows, remove('3')]))).toEqual([])
  })

  test('OBX-R2 what constraints look at keeps its place among writes to the tables concerned', () => {
    const first = patch(1, [update('1', { title: 'a' }, { title: { v: '' } })])
    const frees = patch(2, [update('2', { slug: 's2' }, { slug: { v: 's' } })])
    const takes = patch(3, [update('1', { slug: 's' }, { slug: { v: 's1' } })])
    expect(squashed(first, frees, takes)).toEqual([])
    expect(squashed(first, patch(2, [remove('2', 'other')]), takes)).toHaveLength(1)
    const moves = patch(2, [update('9', { name: 'x' }, { name: { v: '' } }, 'folder')])
    expect(squashed(first, moves, patch(3, [remove('1')]))).toEqual([])
    expect(squashed(first, moves, patch(3, [update('1', { title: 'b' }, { title: { m: 1 } })]))).toHaveLength(1)
  })

  test('OUT-13 OBX-R2 a mutation that may have been sent takes nothing in and is never cancelled', () => {
    const sent = patch(1, [insert('1', { title: 'a' })], { open: false })
    expect(squashed(sent, patch(2, [update('1', { title: 'b' }, { title: { m: 1 } })]))).toEqual([])
    expect(squashed(sent, patch(2, [remove('1')]))).toEqual([])
    expect(squashed(patch(1, [update('1', { title: 'a' }, { title: { v: 'a' } })], { open: false }))).toEqual([])
  })

  test('OBX-R1 what different tabs wrote stays apart, since each takes back its own', () => {
    const of = (counter: number, tab: string, basis: { v: string } | { m: number }) =>
      patch(counter, [update('1', { title: String(counter) }, { title: basis })], { tab })
    expect(squashed(of(1, 'a', { v: 'old' }), of(2, 'b', { m: 1 }), of(3, 'b', { m: 2 }))).toMatchObject([
      { counter: 2, squashed: [3] },
    ])
  })

  test('OBX-R1 it falls with all that any of them falls with', () => {
    const first = patch(3, [insert('1', {})], { after: [1] })
    const then = patch(4, [update('1', { title: 'b' }, { title: { m: 3 } })], { after: [2, 3] })
    expect(squashed(action(1), action(2), first, then)).toMatchObject([{ counter: 3, after: [1, 2] }])
  })

  test('OBX-R1 squashed or not, the rows end the same', () => {
    const edit = fc.record({
      id: fc.constantFrom('1', '2', '3'),
      verb: fc.constantFrom('i', 'u', 'd'),
      column: fc.constantFrom('title', 'rank'),
      value: fc.constantFrom('a', 'b', null),
      foreign: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 14 }), (edits) => {
        const start = new Map<string, Values>([['1', { id: '1', title: 'a', rank: 'a' }]])
        const rows = new Map(start)
        const wrote = new Map<string, number>()
        const mutations: Squashable[] = []
        for (const { id, verb, column, value, foreign } of edits) {
          const row = rows.get(id)
          const counter = mutations.length + 1
          const more = { open: !foreign }
          if (verb === 'i' && !row) {
            const made = insert(id, { title: value, rank: null })
            mutations.push(patch(counter, [made], more))
            apply(rows, [made])
          } else if (verb === 'u' && row) {
            const m = wrote.get(`${id} ${column}`)
            const b = { [column]: m === undefined ? { v: row[column] ?? null } : { m } }
            const change = update(id, { [column]: value }, b)
            mutations.push(patch(counter, [change], more))
            apply(rows, [change])
          } else if (verb === 'd' && row) {
            mutations.push(patch(counter, [remove(id)], more))
            apply(rows, [remove(id)])
          } else continue
          wrote.set(`${id} ${column}`, counter)
        }
        const result = new Map(squashed(...mutations).map((one) => [one.counter, one]))
        const squashedOnes = new Set([...result.values()].flatMap((one) => one.squashed))
        const ended = new Map(start)
        for (const { counter, rows: own } of mutations)
          if (!squashedOnes.has(counter)) apply(ended, result.get(counter)?.rows ?? own)
        expect(ended).toEqual(rows)
      }),
      { numRuns: 2_000 },
    )
  })

  test('OBX-R1 a delete and an insert of one row stay in that order, each with the last values', () => {
    const moved = [remove('1'), insert('1', { title: 'a' })]
    expect(mergeRows(moved, [update('1', { title: 'b' }, { title: { m: 1 } })])).toEqual([
      remove('1'),
      insert('1', { title: 'b' }),
    ])
    expect(mergeRows([update('1', { title: 'z' }, { title: { v: '' } })], moved)).toEqual(moved)
    expect(mergeRows(moved, moved)).toEqual(moved)
  })
})

/** Applies a patch as a server without constraints would; throws where a row is missing or in the way. */
function apply(rows: Map<string, Values>, patched: readonly PatchRow[]): void {
  for (const row of patched) {
    const id = row.k.id ?? ''
    if (rows.has(id) === (row.o === 'i')) throw new Error(`${row.o} of ${id}`)
    if (row.o === 'd') rows.delete(id)
    else rows.set(id, { ...rows.get(id), ...row.d })
  }
}
