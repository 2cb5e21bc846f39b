import { expect, test } from 'vitest'
import { namesOfVersion, type PatchRow, type PushedMutation } from '../../../protocol/index.ts'
import { column, defineTable } from '../../../testing/replica/definitions.ts'
import { mapMutation } from './map-mutation.ts'

const renameTo = (from: string, to: string) =>
  namesOfVersion({
    definition: { types: [], tables: [defineTable('task', [column('id'), column(to)])] },
    steps: [
      {
        table: 'public.task',
        from: 'public.task',
        columns: [
          { name: 'id', from: 'id' },
          { name: to, from },
        ],
      },
    ],
  })
const since = [renameTo('title', 'name'), renameTo('name', 'label')]
const common = { counter: 1, at: '2026-11-20T00:00:00.000Z', version: 1, after: [] }
const row: PatchRow = {
  o: 'u',
  t: 'public.task',
  a: 'all',
  k: { id: '1' },
  d: { title: 'x' },
  b: { title: { v: null } },
}

test('PSH-R26 a patch is said in the names of each version after its own', () => {
  expect(mapMutation({ ...common, kind: 'patch', rows: [row] }, since)).toMatchObject({
    rows: [{ d: { label: 'x' }, b: { label: { v: null } } }],
  })
})

test('PSH-R26 what an action predicted is mapped too, and its arguments are not', () => {
  const { b: _, ...predicted } = row as PatchRow & { o: 'u' }
  const action: PushedMutation = { ...common, kind: 'action', name: 'do', args: { title: 'x' }, predicted: [predicted] }
  expect(mapMutation(action, since)).toMatchObject({ args: { title: 'x' }, predicted: [{ d: { label: 'x' } }] })
  expect(mapMutation({ ...action, predicted: null }, since)).toMatchObject({ predicted: null })
})

test('PSH-R26 a patch of dropped columns alone is refused and says why', () => {
  const dropped: PatchRow = { ...row, d: { gone: 'x' }, b: { gone: { v: null } } }
  expect(mapMutation({ ...common, kind: 'patch', rows: [dropped] }, since)).toMatchObject({ kind: 'outdated-schema' })
})
