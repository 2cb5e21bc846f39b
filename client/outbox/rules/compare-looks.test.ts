import { describe, expect, test } from 'vitest'
import { compareLooks, failuresKey, isSettledTo, type OutboxLook } from './compare-looks.ts'

const look = (changed: Partial<OutboxLook> = {}): OutboxLook => {
  return { isShown: true, last: 3, pending: 1, newest: 3, oldest: 3, since: null, failed: [2], ...changed }
}
const followed = { notedTo: 3, sentTo: 3, failures: failuresKey(look()) }
const NOTHING = { notesUndo: false, readsFailures: false, asksToSend: false }

describe('a look at the outbox', () => {
  test.each([
    ['finds what is known', {}, NOTHING],
    ['finds one more made', { last: 4, newest: 4 }, { ...NOTHING, notesUndo: true, asksToSend: true }],
    ['finds one more made and settled', { last: 4, newest: 0, oldest: null }, { ...NOTHING, notesUndo: true }],
    ['finds another that failed', { failed: [2, 3] }, { ...NOTHING, readsFailures: true }],
    ['finds that none failed any more', { failed: [] }, { ...NOTHING, readsFailures: true }],
    ['finds no copy shown', { isShown: false, last: 4 }, { ...NOTHING, readsFailures: true }],
  ])('%s', (_, changed, expected) => {
    expect(compareLooks(followed, look(changed))).toEqual(expected)
  })

  test('calls for everything at first', () => {
    const first = compareLooks({ notedTo: 0, sentTo: 0, failures: null }, look())
    expect(first).toEqual({ notesUndo: true, readsFailures: true, asksToSend: true })
  })

  test.each([
    [null, 3, true],
    [4, 3, true],
    [3, 3, false],
    [1, 3, false],
  ])('with %s as the oldest unsettled, up to %i is settled: %s', (oldest, counter, expected) => {
    expect(isSettledTo({ oldest }, counter)).toBe(expected)
  })
})
