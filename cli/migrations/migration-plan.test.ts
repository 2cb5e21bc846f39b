import { expect, test } from 'vitest'
import { planMigrations } from './migration-plan.ts'

const file = (name: string, hash = name) => ({ name, hash, statements: [], compatibility: null })
const applied = (name: string, hash = name) => ({ name, hash })

test('MIG-16 what has not run is pending, in order', () => {
  const plan = planMigrations([file('1'), file('2'), file('3')], [applied('1')])
  expect(plan).toEqual({ pending: [file('2'), file('3')], faults: [] })
  expect(planMigrations([file('1')], [applied('1')])).toEqual({ pending: [], faults: [] })
  expect(planMigrations([], [])).toEqual({ pending: [], faults: [] })
})

test('MIG-16 CLI-R4 edited after run, missing, out of order: each is a fault that names the file', () => {
  expect(planMigrations([file('1', 'new')], [applied('1')]).faults).toEqual([expect.stringContaining('1 was edited')])
  expect(planMigrations([file('1')], [applied('1'), applied('2')]).faults).toEqual([
    expect.stringContaining('2 ran in this database, but its file is missing'),
  ])
  expect(planMigrations([file('1'), file('2')], [applied('2')]).faults).toEqual([
    expect.stringContaining('1 has not run, but the later 2 has'),
  ])
})
