import { expect, test } from 'vitest'
import { longestLag, MinuteTally, walGrowth } from './minute-figures.ts'

const MINUTE_MS = 60_000
const NOW = 1_000 * MINUTE_MS

test('OPS-R1 figures of an hour are kept by minute: counts summed, of lags the longest, of the log the last', () => {
  const tally = new MinuteTally(60)
  tally.note(NOW, { transactions: 1, rows: 3, storedMs: 20 })
  tally.note(NOW + 1, { transactions: 2, rows: 4, storedMs: 10, deliveredMs: 30, retainedWalBytes: 9 })
  tally.note(NOW + 59_999, { retainedWalBytes: 5, faults: 1 })
  tally.note(NOW + MINUTE_MS, { rows: 1 })
  expect(tally.since(NOW + MINUTE_MS, 5 * MINUTE_MS)).toEqual([
    { atMs: NOW, transactions: 3, rows: 7, storedMs: 20, deliveredMs: 30, faults: 1, retainedWalBytes: 5 },
    {
      atMs: NOW + MINUTE_MS,
      transactions: 0,
      rows: 1,
      storedMs: null,
      deliveredMs: null,
      faults: 0,
      retainedWalBytes: null,
    },
  ])
  expect(longestLag(tally.since(NOW + MINUTE_MS, 5 * MINUTE_MS), 'storedMs')).toBe(20)
  expect(longestLag(tally.since(NOW + 20 * MINUTE_MS, 5 * MINUTE_MS), 'storedMs')).toBeNull()
  tally.note(NOW + 60 * MINUTE_MS, {})
  expect(tally.since(NOW + 60 * MINUTE_MS, 1e9).map(({ atMs }) => atMs)).toEqual([
    NOW + MINUTE_MS,
    NOW + 60 * MINUTE_MS,
  ])
})

test('OPS-R1 a log that grows at every look of ten minutes grows; one that shrinks in between does not', () => {
  const looked = (...sizes: number[]) => {
    const tally = new MinuteTally(60)
    for (const [minute, retainedWalBytes] of sizes.entries()) tally.note(NOW + minute * MINUTE_MS, { retainedWalBytes })
    return walGrowth(tally.since(NOW + sizes.length * MINUTE_MS, 1e9))
  }
  expect(looked(1, 2, 3, 4, 5, 6, 7, 8, 9)).toBeNull()
  expect(looked(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 30)).toBe(29)
  expect(looked(1, 2, 3, 4, 5, 6, 5, 8, 9, 10)).toBeNull()
})
