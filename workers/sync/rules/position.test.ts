import { expect, test } from 'vitest'
import { asLsn, ZERO_LSN } from '../../../protocol/index.ts'
import { type PartPosition, type Position, positionAt, positionKey } from './position.ts'

const one = asLsn('0000000000000001')
const two = asLsn('0000000000000002')
const part: PartPosition = { lsn: two, xid: '7', at: '2026-01-01T00:00:00.000000Z', index: 1, sent: 11 }

test('DIS-R6 positions are told apart in all by which frames may differ', () => {
  const positions: (Position | null)[] = [
    null,
    positionAt(one),
    positionAt(two),
    { lsn: one, part },
    { lsn: two, part },
    { lsn: one, part: { ...part, lsn: one } },
    { lsn: one, part: { ...part, index: 11, sent: 1 } },
    { lsn: one, part: { ...part, index: 1, sent: 1 } },
    { lsn: one, part: { ...part, index: 2 } },
  ]
  expect(new Set(positions.map(positionKey)).size).toBe(positions.length)
})

test('DIS-R7 sessions at one place share one key, whenever they came there', () => {
  expect(positionKey({ lsn: one, part: { ...part } })).toBe(positionKey({ lsn: one, part }))
  expect(positionKey(positionAt(one))).toBe(positionKey({ lsn: one, part: null }))
})

test('no position is that below every other', () => {
  expect(positionKey(null)).toBe(positionKey(positionAt(ZERO_LSN)))
})
