import { expect, test } from 'vitest'
import {
  type Convert,
  namesOfVersion,
  type PatchRow,
  type PushedMutation,
  type TableStep,
} from '../../../protocol/index.ts'
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
    names: [],
  })
const renamed = renameTo('title', 'name')
const asItIs: Convert = (_, value) => value
const common = { counter: 1, at: '2026-11-20T00:00:00.000Z', version: 1, after: [] }
const row: PatchRow = {
  o: 'u',
  t: 'public.task',
  a: 'all',
  k: { id: '1' },
  d: { title: 'x' },
  b: { title: { v: null } },
}

test('PSH-R26 a patch is said in the names of a version', () => {
  expect(mapMutation({ ...common, kind: 'patch', rows: [row] }, renamed, asItIs)).toMatchObject({
    rows: [{ d: { name: 'x' }, b: { name: { v: null } } }],
  })
})

test('PSH-R26 what an action predicted is mapped too, and its arguments are not', () => {
  const { b: _, ...predicted } = row as PatchRow & { o: 'u' }
  const action: PushedMutation = { ...common, kind: 'action', name: 'do', args: { title: 'x' }, predicted: [predicted] }
  expect(mapMutation(action, renamed, asItIs)).toMatchObject({
    args: { title: 'x' },
    predicted: [{ d: { name: 'x' } }],
  })
  expect(mapMutation({ ...action, predicted: null }, renamed, asItIs)).toMatchObject({ predicted: null })
})

test('PSH-R26 a patch of dropped columns alone is refused and says why', () => {
  const dropped: PatchRow = { ...row, d: { gone: 'x' }, b: { gone: { v: null } } }
  expect(mapMutation({ ...common, kind: 'patch', rows: [dropped] }, renamed, asItIs)).toMatchObject({
    kind: 'outdated-schema',
  })
})

const retyped = (stages: TableStep['columns'][number]['retyped']) =>
  namesOfVersion({
    definition: { types: [], tables: [] },
    steps: [],
    names: [{ table: row.t, from: row.t, columns: [{ name: 'title', from: 'title', retyped: stages }] }],
  })
const cents = [{ column: 'title', from: 'text', to: 'bigint', expression: '(title)::bigint * 100' }]
const convert: Convert = (conversion, value) => (conversion === null ? undefined : value && `${value}00`)

test('PSH-R29 a patch is said in the type that a version gave, or is refused and says of which column', () => {
  const patch: PushedMutation = { ...common, kind: 'patch', rows: [row] }
  expect(mapMutation(patch, retyped(cents), convert)).toMatchObject({ rows: [{ d: { title: 'x00' } }] })
  expect(mapMutation(patch, retyped(null), convert)).toMatchObject({
    kind: 'outdated-schema',
    table: row.t,
    columns: ['title'],
  })
})

test('PSH-R29 an action goes on, and predicts nothing where that cannot be said', () => {
  const { b: _, ...predicted } = row as PatchRow & { o: 'u' }
  const action: PushedMutation = { ...common, kind: 'action', name: 'do', args: {}, predicted: [predicted] }
  expect(mapMutation(action, retyped(cents), convert)).toMatchObject({ predicted: [{ d: { title: 'x00' } }] })
  expect(mapMutation(action, retyped(null), convert)).toMatchObject({ kind: 'action', predicted: null })
})
