import { expect, it } from 'vitest'
import { resolvedValues, withTheirs } from './resolution.ts'

const versions = {
  local: { title: 'mine', priority: 'urgent' },
  server: { title: 'theirs', priority: 'low', state: 'todo' },
}

it('takes what nobody decided from the author, who then simply tries again', () => {
  expect(resolvedValues(versions, {})).toBe('mine')
  expect(resolvedValues(versions, { title: { take: 'mine' } })).toBe('mine')
})

it('lets go of a change of which every field is to be theirs', () => {
  expect(resolvedValues(versions, { title: { take: 'theirs' }, priority: { take: 'theirs' } })).toBe('theirs')
})

it('writes a mixture field by field, of the columns that the author changed', () => {
  expect(resolvedValues(versions, { title: { take: 'theirs' } })).toEqual({ title: 'theirs', priority: 'urgent' })
  expect(resolvedValues(versions, { title: { take: 'other', value: 'both' } })).toEqual({
    title: 'both',
    priority: 'urgent',
  })
  expect(resolvedValues({ ...versions, server: null }, { title: { take: 'theirs' } })).toEqual({
    title: null,
    priority: 'urgent',
  })
})

it('shows the row by which the server refused, whatever is here yet', () => {
  const row = { table: 'public.issue', key: { id: 'a' }, op: 'update', ...versions } as const
  const rejection = { kind: 'conflict', message: '', table: 'public.issue', key: { id: 'a' } } as const
  const [first, second] = withTheirs({
    rows: [row, { ...row, key: { id: 'b' } }],
    rejection: { ...rejection, row: { title: 'newer' } },
  })
  expect(first?.server).toEqual({ title: 'newer', priority: 'low', state: 'todo' })
  expect(second?.server).toEqual(versions.server)
  expect(withTheirs({ rows: [row], rejection })).toEqual([row])
})
