import { describe, expect, test } from 'vitest'
import { column, defineTable } from '../testing/replica/definitions.ts'
import { type Convert, type PatchRow, predictedByPatch } from './index.ts'
import { composeNames, findUnconverted, mapKeys, mapPatch, mapPredicted, namesOfVersion } from './map-version.ts'

const issue = defineTable('issue', [
  column('key'),
  column('name'),
  column('rank', 'integer', { notNull: true }),
  column('size', 'integer', { notNull: true, default: '1' }),
])
const names = namesOfVersion({
  definition: { types: [], tables: [issue, defineTable('new', [column('id')])] },
  steps: [
    {
      table: issue.id,
      from: 'public.task',
      columns: [
        { name: 'key', from: 'id' },
        { name: 'name', from: 'title' },
        { name: 'rank', from: null, value: '7' },
        { name: 'size', from: null, value: '2' },
      ],
    },
    { table: 'public.new', from: null, columns: [] },
  ],
  names: [],
})
const row = { t: 'public.task', a: 'org:a', k: { id: '1' } }

describe('a patch from before a version', () => {
  test('MIG-R4 says tables, keys, values and bases in the names after it', () => {
    const update: PatchRow = { ...row, o: 'u', d: { title: 'x' }, b: { title: { v: 'w' } } }
    expect(mapPatch([update], names)).toEqual([
      { o: 'u', t: 'public.issue', a: 'org:a', k: { key: '1' }, d: { name: 'x' }, b: { name: { v: 'w' } } },
    ])
    expect(mapPatch([{ ...row, o: 'd' }], names)).toEqual([{ o: 'd', t: 'public.issue', a: 'org:a', k: { key: '1' } }])
  })

  test('MIG-R4 leaves dropped columns out, and an update of nothing else with them', () => {
    const both: PatchRow = { ...row, o: 'u', d: { title: 'x', state: 'y' }, b: { title: { v: 'w' }, state: { m: 3 } } }
    expect(mapPatch([both], names)).toMatchObject([{ d: { name: 'x' }, b: { name: { v: 'w' } } }])
    const state: PatchRow = { ...row, o: 'u', d: { state: 'y' }, b: { state: { v: null } } }
    expect(mapPatch([state], names)).toEqual([])
    expect(mapKeys([state], names)).toEqual([{ ...state, t: 'public.issue', k: { key: '1' } }])
  })

  test('MIG-R4 gives an insert what a column must have and nobody else fills in', () => {
    const insert: PatchRow = { ...row, o: 'i', d: { id: '1', title: 'x', state: 'y' }, z: ['state', 'title'] }
    expect(mapPatch([insert], names)).toEqual([
      { o: 'i', t: 'public.issue', a: 'org:a', k: { key: '1' }, d: { key: '1', name: 'x', rank: '7' }, z: ['name'] },
    ])
  })

  test('MIG-R4 predicts the same, whether it or its prediction is mapped', () => {
    const patch: PatchRow[] = [
      { ...row, o: 'i', d: { id: '1', title: 'x', state: 'y' } },
      { ...row, o: 'u', d: { state: 'y' }, b: { state: { v: null } } },
      { ...row, o: 'u', d: { state: 'y', title: 'z' }, b: { state: { v: null }, title: { v: null } } },
      { ...row, o: 'd' },
      { o: 'd', t: 'public.note', a: 'org:a', k: { id: '1' } },
    ]
    expect(mapPredicted(predictedByPatch(patch), names)).toEqual(predictedByPatch(mapPatch(patch, names)))
    expect(mapPredicted(predictedByPatch(patch), names)).toHaveLength(4)
  })

  test('MIG-R4 stays as it is on other tables', () => {
    const other: PatchRow = { o: 'd', t: 'public.note', a: 'org:a', k: { id: '1' } }
    expect(mapPatch([other], names)).toEqual([other])
    expect(mapKeys([other], names)).toEqual([other])
  })
})

describe('the names of several versions', () => {
  const named = (
    table: string,
    from: string,
    columns: Parameters<typeof namesOfVersion>[0]['names'][number]['columns'],
  ) => namesOfVersion({ definition: { types: [], tables: [] }, steps: [], names: [{ table, from, columns }] })
  const first = named('b', 'a', [
    { name: 'y', from: 'x', labels: { open: 'new' } },
    { name: 'kept', from: 'kept' },
    { name: 'gone', from: 'was' },
  ])
  const next = named('c', 'b', [
    { name: 'z', from: 'y', labels: { new: 'fresh', done: 'over' } },
    { name: 'kept', from: 'kept' },
  ])

  test('MIG-R4 are followed as one, labels too', () => {
    const update: PatchRow = {
      o: 'u',
      t: 'a',
      a: 'org:a',
      k: { kept: '1' },
      d: { x: 'open', was: 'w' },
      b: { x: { v: 'done' }, was: { m: 2 } },
    }
    const mapped = [{ o: 'u', t: 'c', a: 'org:a', k: { kept: '1' }, d: { z: 'fresh' }, b: { z: { v: 'over' } } }]
    expect(mapPatch([update], composeNames(first, next))).toEqual(mapped)
    expect(mapPatch(mapPatch([update], first), next)).toEqual(mapped)
  })

  test('MIG-R4 are another table’s where one left its name to it', () => {
    const other = named('d', 'a', [])
    expect([...composeNames(first, other).keys()]).toEqual(['a'])
    expect(composeNames(first, other).get('a')?.table).toBe('b')
    expect(composeNames(new Map(), next).get('b')?.table).toBe('c')
  })
})

describe('values of a retyped column', () => {
  const cents = { column: 'amount', from: 'integer', to: 'bigint', expression: 'amount * 100' }
  const namedBy = (retyped: (typeof cents)[] | null) =>
    namesOfVersion({
      definition: { types: [], tables: [] },
      steps: [],
      names: [
        {
          table: 'bill',
          from: 'bill',
          columns: [
            { name: 'id', from: 'id' },
            { name: 'cents', from: 'amount', retyped },
          ],
        },
      ],
    })
  const retypedTo = namedBy([cents])
  const convert: Convert = (conversion, value) =>
    conversion === null || value === 'x' ? undefined : value === null ? null : `${value}00`
  const bill = { t: 'bill', a: 'all', k: { id: '1' } }
  const update: PatchRow = { ...bill, o: 'u', d: { amount: '5' }, b: { amount: { v: '4' } } }

  test('MIG-R10 are converted as they are written, as bases and as they are predicted', () => {
    const insert: PatchRow = { ...bill, o: 'i', d: { id: '1', amount: '5' } }
    expect(mapPatch([update, insert], retypedTo, convert)).toEqual([
      { ...update, d: { cents: '500' }, b: { cents: { v: '400' } } },
      { ...insert, d: { id: '1', cents: '500' } },
    ])
    expect(mapPredicted(predictedByPatch([update, insert]), retypedTo, convert)).toEqual(
      predictedByPatch(mapPatch([update, insert], retypedTo, convert)),
    )
    expect(findUnconverted([update, insert], retypedTo, convert)).toBeNull()
  })

  test('MIG-R10 that cannot be converted are told, a basis among them, and what another mutation wrote is not', () => {
    const lost = { table: 'bill', column: 'cents' }
    expect(findUnconverted([{ ...update, d: { amount: 'x' } }], retypedTo, convert)).toEqual(lost)
    expect(findUnconverted([{ ...update, b: { amount: { v: 'x' } } }], retypedTo, convert)).toEqual(lost)
    expect(findUnconverted([update], namedBy(null), convert)).toEqual(lost)
    expect(findUnconverted([{ ...update, b: { amount: { m: 3 } } }], retypedTo, convert)).toBeNull()
    expect(findUnconverted([{ ...bill, o: 'd' }], namedBy(null), convert)).toBeNull()
  })

  test('MIG-R10 those of a key are asked for also where an update of dropped columns leaves nothing else', () => {
    const keyed = namesOfVersion({
      definition: { types: [], tables: [] },
      steps: [],
      names: [{ table: 'bill', from: 'bill', columns: [{ name: 'id', from: 'id', retyped: [] }] }],
    })
    const asked: unknown[] = []
    mapPatch([{ ...bill, o: 'u', d: { gone: 'x' }, b: { gone: { v: 'w' } } }], keyed, (_, value) => {
      asked.push(value)
      return value
    })
    expect(asked).toEqual(Object.values(bill.k))
  })

  test('MIG-R10 that the server fills in by its default need no value', () => {
    const insert: PatchRow = { ...bill, o: 'i', d: { id: '1', amount: 'x' }, z: ['amount'] }
    expect(findUnconverted([insert], retypedTo, convert)).toBeNull()
    expect(mapPatch([insert], retypedTo, convert)).toEqual([{ ...insert, d: { id: '1' }, z: [] }])
  })

  test('MIG-R10 go through the stages of several versions in their order', () => {
    const column = (more: object) => [{ name: 'state', from: 'state', ...more }]
    const named = (more: object) =>
      namesOfVersion({
        definition: { types: [], tables: [] },
        steps: [],
        names: [{ table: 'bill', from: 'bill', columns: column(more) }],
      })
    const asText = { column: 'state', from: 'text', to: 'text', expression: 'state' }
    const all = [named({ labels: { done: 'closed' } }), named({ retyped: [asText] }), named({ labels: { a: 'b' } })]
    const both = all.reduce(composeNames).get('bill')
    expect(both?.retyped.get('state')).toEqual([{ labels: { done: 'closed' } }, asText, { labels: { a: 'b' } }])
    expect(both?.labels.size).toBe(0)
    const lost = composeNames(named({ retyped: null }), named({ retyped: [asText] }))
    expect(lost.get('bill')?.retyped.get('state')).toBeNull()
  })
})
