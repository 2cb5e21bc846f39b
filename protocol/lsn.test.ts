import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  asLsn,
  formatPgLsn,
  isLsn,
  lsnDistanceBytes,
  lsnFromBigInt,
  maxLsn,
  minLsn,
  parsePgLsn,
  ZERO_LSN,
} from './lsn.ts'

describe('lsn', () => {
  it('HIS-03 keeps numeric order across both rollovers of the text form', () => {
    const texts = [
      '0/0',
      '0/9000000',
      '0/10000000',
      '0/FFFFFFFF',
      '1/0',
      '1/FFFFFFF',
      '1/10000000',
      'F/FFFFFFFF',
      '10/0',
      'FFFFFFFF/FFFFFFFF',
    ]
    const parsed = texts.map(parsePgLsn)
    expect([...parsed].sort()).toEqual(parsed)
    expect(parsed.map(formatPgLsn)).toEqual(texts)
  })

  it('HIS-03 WIRE-R2 orders as the 64-bit integers do', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.bigInt(0n, 2n ** 64n - 1n), (a, b) => {
        const [left, right] = [lsnFromBigInt(a), lsnFromBigInt(b)]
        expect(left < right).toBe(a < b)
        expect(parsePgLsn(formatPgLsn(left))).toBe(left)
      }),
    )
  })

  it('refuses what is not an LSN and says which form it wants', () => {
    for (const text of ['', '0', '0/', '/0', '0/G', '123456789/0', '0/0 ', "0/0'"]) {
      expect(() => parsePgLsn(text)).toThrow(/expected X\/Y/)
    }
    for (const text of ['0/0', '000000000000000', '000000000000000G', '000000000000000A']) {
      expect(isLsn(text)).toBe(false)
      expect(() => asLsn(text)).toThrow(/16 hex digits/)
    }
  })

  it('measures and picks', () => {
    const [low, high] = [parsePgLsn('0/FFFFFFFF'), parsePgLsn('1/1')]
    expect(lsnDistanceBytes(low, high)).toBe(2)
    expect(maxLsn(low, high, ZERO_LSN)).toBe(high)
    expect(minLsn(high, low)).toBe(low)
  })
})
