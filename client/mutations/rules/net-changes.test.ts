import { expect, test } from 'vitest'
import { netChanges } from './net-changes.ts'

const key = { id: '1' }
const row = (title: string) => ({ ...key, title, state: 'open' })
const change = (operation: 'insert' | 'update' | 'delete', data: object | null, before: object | null) =>
  ({ table: 't', key, operation, data, before }) as Parameters<typeof netChanges>[0][number]

test('HST-R9 of several changes of a row the first tells what it was, the last what it became', () => {
  const first = change('update', { title: 'b' }, { title: 'a' })
  const second = change('update', { title: 'c', state: 'done' }, { title: 'b', state: 'open' })
  expect(netChanges([first, second])).toEqual([
    { table: 't', before: { ...key, title: 'a', state: 'open' }, after: { ...key, title: 'c', state: 'done' } },
  ])
  expect(netChanges([first, change('delete', null, row('b'))])).toEqual([{ table: 't', before: row('a'), after: null }])
  const made = change('insert', row('a'), null)
  expect(netChanges([made, first])).toEqual([{ table: 't', before: null, after: row('b') }])
  expect(netChanges([made, change('delete', null, row('a'))])).toEqual([])
  expect(netChanges([change('delete', null, row('a')), change('insert', row('b'), null)])).toEqual([
    { table: 't', before: row('a'), after: row('b') },
  ])
})
