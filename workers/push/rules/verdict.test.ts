import { expect, it } from 'vitest'
import { verdictOf } from './verdict.ts'

const kindOf = (sqlState: string | null) => {
  const verdict = verdictOf(sqlState)
  return verdict.kind === 'rejected' ? verdict.rejection.kind : verdict.kind
}

it.each([
  [null, 'transient'],
  ['08006', 'transient'],
  ['53300', 'transient'],
  ['57P01', 'transient'],
  ['57014', 'transient'],
  ['40001', 'transient'],
  ['40P01', 'transient'],
  ['55P03', 'transient'],
  ['25006', 'transient'],
  ['58030', 'transient'],
  ['23505', 'constraint'],
  ['23502', 'constraint'],
  ['42501', 'forbidden'],
  ['44000', 'forbidden'],
  ['22P02', 'invalid'],
  ['22001', 'invalid'],
  ['25P02', 'invalid'],
  ['428C9', 'invalid'],
  ['54000', 'limit-exceeded'],
  ['P0001', 'refused'],
  ['72001', 'refused'],
  ['XX000', 'fault'],
  ['42P01', 'fault'],
  ['42703', 'fault'],
  ['0A000', 'fault'],
])('PSH-R8 PSH-R9 SQLSTATE %s is %s', (sqlState, kind) => {
  expect(kindOf(sqlState)).toBe(kind)
})
