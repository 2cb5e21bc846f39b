import { expect, it } from 'vitest'
import { isPassing, type Told, verdictOf } from './verdict.ts'

const told: Told = { sqlState: null, routine: 'errfinish', isOfTable: false, isAlive: true }
const shortOf = (more: Partial<Told>) => {
  const verdict = verdictOf({ ...told, ...more })
  return verdict.kind === 'rejected' ? verdict.rejection.kind : verdict.patience
}

it.each([
  [null, 'soon'],
  ['08006', 'remote'],
  ['57P01', 'remote'],
  ['58030', 'remote'],
  ['53300', 'busy'],
  ['40P01', 'busy'],
  ['55P03', 'busy'],
  ['25006', 'busy'],
  ['57014', 'slow'],
  ['40001', 'soon'],
  ['XX000', 'soon'],
  ['42P01', 'soon'],
  ['42703', 'soon'],
  ['0A000', 'soon'],
  ['23505', 'constraint'],
  ['23502', 'constraint'],
  ['44000', 'forbidden'],
  ['22P02', 'invalid'],
  ['22001', 'invalid'],
  ['25P02', 'invalid'],
  ['428C9', 'invalid'],
  ['54000', 'limit-exceeded'],
  ['P0001', 'refused'],
  ['72001', 'refused'],
])('PSH-R8 PSH-R15 SQLSTATE %s of a statement is %s', (sqlState, short) => {
  expect(shortOf({ sqlState })).toBe(short)
})

it.each([null, '57P01', '42P01', '40001'])('PSH-R15 %s at which the session ended is a cut', (sqlState) => {
  expect(shortOf({ sqlState, isAlive: false })).toBe('cut')
})

it.each([
  ['57P01', 'refused'],
  ['08006', 'refused'],
  ['53100', 'refused'],
  ['57014', 'refused'],
  ['42P01', 'refused'],
  ['XX000', 'refused'],
  ['55P03', 'soon'],
  ['40001', 'soon'],
  ['40P01', 'soon'],
  ['23505', 'constraint'],
  ['42501', 'forbidden'],
  ['22012', 'invalid'],
])('PSH-R15 %s that the app raised is %s, whether or not its session is taken for alive', (sqlState, short) => {
  for (const isAlive of [true, false]) expect(shortOf({ sqlState, routine: 'exec_stmt_raise', isAlive })).toBe(short)
})

it('PSH-R16 a right that is lacking is `forbidden` only of a row or of a table that the statement names', () => {
  const lacking = { sqlState: '42501', routine: 'aclcheck_error' }
  expect(shortOf({ ...lacking, routine: 'ExecWithCheckOptions' })).toBe('forbidden')
  expect(shortOf({ ...lacking, isOfTable: true })).toBe('forbidden')
  expect(shortOf(lacking)).toBe('refused')
})

it('PSH-R9 outside a mutation a cut, a restart and want of resources pass; a schema that lacks something does not', () => {
  for (const sqlState of [null, '08006', '53300', '57P03', '40001', '55P03']) expect(isPassing(sqlState)).toBe(true)
  for (const sqlState of ['42P01', '42883', '28P01']) expect(isPassing(sqlState)).toBe(false)
})
