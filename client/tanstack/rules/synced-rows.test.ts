import { expect, it } from 'vitest'
import { syncedWrites } from './synced-rows.ts'

it('inserts what is new, updates what changed, deletes what is gone, and says nothing of the rest', () => {
  const [one, two, three] = [1, 2, 3].map((id) => ({ id, title: `${id}` }))
  if (!one || !two || !three) throw new Error('There are three.')
  const held = new Map<number, typeof one>()
  const keyOf = ({ id }: typeof one) => id
  expect(syncedWrites(held, [one, two], keyOf)).toEqual([
    { type: 'insert', value: one },
    { type: 'insert', value: two },
  ])
  const changed = { ...two, title: 'two' }
  expect(syncedWrites(held, [changed, three], keyOf)).toEqual([
    { type: 'delete', key: 1 },
    { type: 'update', value: changed },
    { type: 'insert', value: three },
  ])
  expect(syncedWrites(held, [changed, three], keyOf)).toEqual([])
  expect([...held.keys()]).toEqual([2, 3])
})
