import { expect, test } from 'vitest'
import { countedQuery, moveWindow, windowedQuery, windowOf } from './window-query.ts'

test('a window is read whole or refused', () => {
  expect(windowOf({})).toBeNull()
  expect(windowOf({ offset: 0, limit: 5 })).toEqual({ offset: 0, limit: 5 })
  for (const wrong of [{ offset: 0 }, { limit: 5 }, { offset: -1, limit: 5 }, { offset: 0, limit: 1.5 }])
    expect(() => windowOf(wrong)).toThrow(/offset and limit/)
})

test('a window moves, and stays the same one where it does not', () => {
  const window = { offset: 5, limit: 5 }
  expect(moveWindow(window, {})).toBe(window)
  expect(moveWindow(window, { offset: 5 })).toBe(window)
  expect(moveWindow(window, { offset: 10 })).toEqual({ offset: 10, limit: 5 })
  expect(moveWindow(null, {})).toBeNull()
  expect(() => moveWindow(null, { limit: 1 })).toThrow(/opened with/)
})

test('the window and the count of a query are queries over it', () => {
  const query = { sql: 'SELECT id FROM task WHERE org = $1 -- all;', params: ['a'] }
  expect(windowedQuery(query, { offset: 5, limit: 3 })).toEqual({
    sql: 'SELECT * FROM (SELECT id FROM task WHERE org = $1 -- all\n) AS whole LIMIT $2::int8 OFFSET $3::int8',
    params: ['a', 3, 5],
  })
  expect(countedQuery({ sql: 'SELECT 1;' })).toEqual({
    sql: 'SELECT count(*) AS count FROM (SELECT 1\n) AS whole',
    params: [],
  })
})
