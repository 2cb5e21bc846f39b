import { expect, it } from 'vitest'
import { shownRows } from './shown-rows.ts'

const [old, fresh, initial] = [['old'], ['fresh'], ['initial']]
const live = { rows: fresh, error: null, runs: 1 }
const nothing = { rows: null, error: null, runs: 0 }
const base = { live: nothing, initial: null, kept: null }

it('shows what the query answers, and until then what was there before, as stale', () => {
  expect(shownRows(base)).toEqual({ rows: null, error: null, isStale: false })
  expect(shownRows({ ...base, kept: old })).toEqual({ rows: old, error: null, isStale: true })
  expect(shownRows({ ...base, live, kept: old })).toEqual({ rows: fresh, error: null, isStale: false })
})

it('shows what came with the page before anything else, as stale', () => {
  const stale = { rows: initial, error: null, isStale: true }
  expect(shownRows({ ...base, initial, kept: old })).toEqual(stale)
  expect(shownRows({ ...base, initial, live })).toEqual(stale)
})

it('tells a fault, with the rows of before beside it', () => {
  const error = new Error('no such column')
  expect(shownRows({ ...base, live: { ...live, error } })).toEqual({ rows: fresh, error, isStale: false })
  expect(shownRows({ ...base, kept: old, live: { ...nothing, error } })).toEqual({ rows: null, error, isStale: false })
})
