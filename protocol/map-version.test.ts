import { describe, expect, test } from 'vitest'
import { column, defineTable } from '../testing/replica/definitions.ts'
import { type PatchRow, predictedByPatch } from './index.ts'
import { mapKeys, mapPatch, mapPredicted, namesOfVersion } from './map-version.ts'

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
