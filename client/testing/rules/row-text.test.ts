import { expect, it } from 'vitest'
import { todoSync } from '../../../testing/replica/todo-sync.ts'
import { rowTexts } from './row-text.ts'

it('writes values as text under the names of the database, NULL as null', () => {
  const createdAt = new Date('2026-11-30T18:00:00Z')
  expect(rowTexts(todoSync, { item: [{ listId: null, done: true, rank: 2, title: 'it', createdAt }] })).toEqual([
    {
      table: 'public.item',
      row: { list_id: null, done: 't', rank: '2', title: 'it', created_at: '2026-11-30T18:00:00.000Z' },
    },
  ])
})

it('refuses names that do not exist', () => {
  expect(() => rowTexts(todoSync, { none: [] } as never)).toThrow('has no table none')
  expect(() => rowTexts(todoSync, { item: [{ list_id: null }] } as never)).toThrow('has no column list_id')
})
