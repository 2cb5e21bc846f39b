import { describe, expect, test } from 'vitest'
import { joinRights, rightsOf, rightsRow } from './rights.ts'
import { planKey, planTables, type TablePlan } from './table-plan.ts'

const definition = { types: [], tables: [] }
const watched = [{ id: 'public.m', schema: 'public', name: 'm', user: 'u' }]
const plan = planTables({ version: 1, hash: 'h', definition, watched }).get(planKey('public', 'm')) as TablePlan
const row = (old: (string | null)[] | null, now: (string | null | undefined)[] | null) =>
  rightsOf({ type: 'row', plan, old, new: now })

describe('rights', () => {
  test('RGT-R1 are of the users a row names before and after, of everyone where the log does not say', () => {
    expect(row(null, ['a'])).toEqual(['a'])
    expect(row(['a'], ['b'])).toEqual(['a', 'b'])
    // The log leaves out an unchanged value.
    expect(row(['a'], [undefined])).toEqual(['a'])
    expect(row(['a'], null)).toEqual(['a'])
    expect(row(null, [null])).toEqual([])
    expect(row(null, [undefined])).toBe('all')
    expect(row([], ['a'])).toBe('all')
    expect(rightsOf({ type: 'truncate', plan })).toBe('all')
  })

  test('RGT-R1 of a transaction are those of all its rows, at most a thousand users by name', () => {
    expect(joinRights(null, null)).toBeNull()
    expect(joinRights(null, ['a'])).toEqual(['a'])
    expect(joinRights(['a', 'b'], ['b', 'c'])).toEqual(['a', 'b', 'c'])
    expect(joinRights(['a'], 'all')).toBe('all')
    expect(
      joinRights(
        ['a'],
        Array.from({ length: 1_000 }, (_, n) => String(n)),
      ),
    ).toBe('all')
    expect(rightsRow('all')).toMatchObject({ operation: 'rights', data: '{"users":null}', audience: null })
  })
})
