import { describe, expect, it } from 'vitest'
import { parsePgLsn } from '../../../protocol/index.ts'
import { placeAfter, slotPlace } from './place-between.ts'

describe('a place between two transactions', () => {
  it('CAP-R52 is above the one, below the end of any other, and no place for a slot', () => {
    const end = parsePgLsn('1/FFFFFFF8')
    const place = placeAfter(end)
    expect(place > end && place < parsePgLsn('2/0')).toBe(true)
    expect(slotPlace(place)).toBe(end)
    expect(slotPlace(end)).toBe(end)
  })
})
