import { describe, expect, test } from 'vitest'
import type { ActionMutation, Definition, PatchMutation, PatchRow, PredictedChange } from '../../../protocol/index.ts'
import { checkPatch } from './check-patch.ts'
import { readingsOf } from './readings.ts'

const plain = { type: 'text', notNull: false, generated: null }
const tableOf = (name: string): Definition['tables'][number] => ({
  id: `public.${name}`,
  schema: 'public',
  name,
  columns: [
    { ...plain, name: 'id' },
    { ...plain, name: 'org' },
    { ...plain, name: 'title' },
    { ...plain, name: 'low', generated: 'lower(title)' },
  ],
  primaryKey: ['id'],
  audience: { column: 'org', prefix: 'org' },
  write: 'all',
  priority: 1,
  uniques: [],
  indexes: [],
  foreignKeys: [],
})
const definition: Definition = { types: [], tables: [tableOf('note'), tableOf('folder')] }
const base = { counter: 1, at: '2026-01-01T00:00:00.000Z', after: [] }
const AUDIENCES = ['org:a']

const insert = (id: string, t = 'public.note'): PatchRow => ({
  o: 'i',
  t,
  a: 'org:a',
  k: { id },
  d: { id, org: 'a', title: 'x' },
})
const update = (id: string, title: string): PatchRow => ({
  o: 'u',
  t: 'public.note',
  a: 'org:a',
  k: { id },
  d: { title },
  b: { title: { v: null } },
})
const remove = (id: string): PatchRow => ({ o: 'd', t: 'public.note', a: 'org:a', k: { id } })

function ofPatch(...rows: PatchRow[]) {
  const mutation: PatchMutation = { ...base, kind: 'patch', rows }
  const { reading, keys } = readingsOf(definition, AUDIENCES, mutation, checkPatch(rows, definition, AUDIENCES))
  return { reading, keys: JSON.parse(keys) }
}

function ofAction(predicted: PredictedChange[] | null) {
  const mutation: ActionMutation = { ...base, kind: 'action', name: 'act', args: null, predicted }
  const { reading, keys } = readingsOf(definition, AUDIENCES, mutation, [])
  return { reading, keys: JSON.parse(keys) }
}
const predicted = (id: string, more: object = {}): PredictedChange => ({
  o: 'u',
  t: 'public.note',
  a: 'org:a',
  k: { id },
  d: { title: 'x' },
  ...more,
})

describe('what is read of a patch when it is done', () => {
  test('PSH-R5 is each row that is still there, by its key, with what was given for it', () => {
    const { keys } = ofPatch(update('1', 'a'), update('2', 'b'), insert('3'), remove('4'))
    expect(keys).toEqual([
      [
        { k: { id: '1' }, d: { title: 'a' } },
        { k: { id: '2' }, d: { title: 'b' } },
      ],
      [{ k: { id: '3' }, d: { id: '3', org: 'a', title: 'x' } }],
    ])
  })

  test('PSH-R5 of an update are the changed columns, of an insert all that travel', () => {
    expect(ofPatch(update('1', 'a')).reading).not.toContain('"org"')
    expect(ofPatch(insert('1')).reading).toContain('"org"')
    expect(ofPatch(insert('1')).reading).not.toContain('"low"')
  })

  test('PSH-R7 of a delete and an insert of one key is the row that came', () => {
    expect(ofPatch(remove('1'), insert('1')).keys).toEqual([[{ k: { id: '1' }, d: { id: '1', org: 'a', title: 'x' } }]])
  })

  test('PSH-R5 is apart by table', () => {
    const { keys } = ofPatch(insert('1'), insert('2', 'public.folder'), insert('3'))
    expect(keys.map((rows: { k: { id: string } }[]) => rows.map(({ k }) => k.id))).toEqual([['1', '3'], ['2']])
  })

  test('PSH-R5 is nothing where it deletes alone', () => {
    expect(ofPatch(remove('1'), remove('2'))).toEqual({ reading: null, keys: [] })
  })
})

describe('what is read of an action when it is done', () => {
  test('PSH-R5 is what it predicted, each row once and as predicted last', () => {
    const { keys } = ofAction([predicted('1'), predicted('2'), predicted('1', { d: { title: 'y' } })])
    expect(keys).toEqual([
      [
        { k: { id: '1' }, d: { title: 'y' } },
        { k: { id: '2' }, d: { title: 'x' } },
      ],
    ])
  })

  test.each<[string, PredictedChange]>([
    ['of an audience that is not its author’s', predicted('1', { a: 'org:b' })],
    ['of a table that there is not', predicted('1', { t: 'public.secret' })],
    ['without its key', predicted('1', { k: {} })],
    ['with a key that is NULL', predicted('1', { k: { id: null } })],
    ['with more than its key', predicted('1', { k: { id: '1', org: 'a' } })],
    ['by another column than its key', predicted('1', { k: { title: '1' } })],
    ['that it deletes', { o: 'd', t: 'public.note', a: 'org:a', k: { id: '1' } }],
  ])('PSH-R4 PSH-R11 is never a row %s', (_, change) => {
    expect(ofAction([change])).toEqual({ reading: null, keys: [] })
    expect(ofAction([change, predicted('2')]).keys).toEqual([[{ k: { id: '2' }, d: { title: 'x' } }]])
  })

  test('OBX-R11 is nothing where no prediction was sent', () => {
    expect(ofAction(null)).toEqual({ reading: null, keys: [] })
  })
})
