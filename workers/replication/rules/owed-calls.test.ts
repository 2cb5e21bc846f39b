import { expect, it } from 'vitest'
import { askedAt, FIRST_OWED, noteCommit, type OwedCalls, owedMark, settleCalls } from './owed-calls.ts'

const ask = (calls: OwedCalls, nowMs = 0): [OwedCalls, number | null] => {
  const mark = owedMark(calls, nowMs)
  return [mark === null ? calls : askedAt(calls, mark), mark]
}

it('CAP-R48 calls are owed until they are settled, and again after the next commit', () => {
  const [asked, first] = ask(FIRST_OWED)
  expect(first).toBe(1)
  const settled = settleCalls(asked, 1, null)
  expect(ask(settled)[1]).toBeNull()
  const again = noteCommit(settled)
  // Only the first of many commits is written down before anybody asks.
  expect(noteCommit(again)).toBe(again)
  expect(ask(again)[1]).toBe(2)
})

it('CAP-R48 a commit while Postgres is asked is not settled by that answer, whoever else asks meanwhile', () => {
  const [one, first] = ask(FIRST_OWED)
  const [two, second] = ask(noteCommit(one))
  expect([first, second]).toEqual([1, 2])
  const late = settleCalls(two, 1, null)
  expect(owedMark(late, 0)).toBe(2)
  const both = settleCalls(settleCalls(two, 2, null), 1, null)
  expect(owedMark(both, 0)).toBeNull()
})

it('CAP-R48 what is left is owed when it is due', () => {
  const left = settleCalls(ask(FIRST_OWED)[0], 1, 5_000)
  expect(owedMark(left, 4_999)).toBeNull()
  expect(owedMark(left, 5_000)).toBe(1)
})
