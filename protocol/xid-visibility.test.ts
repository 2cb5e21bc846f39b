import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { extendXid, isVisibleIn, parsePgSnapshot } from './xid-visibility.ts'

describe('xid visibility', () => {
  it('SNP-21 shows 727 and not 728 in the snapshot 728:728:', () => {
    const snapshot = parsePgSnapshot('728:728:')
    expect(isVisibleIn(snapshot, '727')).toBe(true)
    expect(isVisibleIn(snapshot, '728')).toBe(false)
  })

  it('hides what was in progress between xmin and xmax', () => {
    const snapshot = parsePgSnapshot('10:20:10,15')
    const shown = ['9', '10', '11', '15', '19', '20'].map((xid) => isVisibleIn(snapshot, xid))
    expect(shown).toEqual([true, false, true, false, true, false])
  })

  it('SNP-05 compares modulo 2^32 on both sides of a wrap', () => {
    const wrap = 2n ** 32n
    const snapshot = parsePgSnapshot(`${wrap - 5n}:${wrap + 5n}:${wrap - 3n},${wrap + 2n}`)
    const shown = ['4294967290', '4294967292', '4294967293', '4294967295', '0', '2', '4', '5'].map((xid) =>
      isVisibleIn(snapshot, xid),
    )
    expect(shown).toEqual([true, true, false, true, true, false, true, false])
  })

  it('SNP-05 extends an xid to the nearest 64-bit id', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 40n), fc.integer({ min: -(2 ** 30), max: 2 ** 30 }), (near, offset) => {
        const full = near + BigInt(offset)
        fc.pre(full >= 0n)
        expect(extendXid(String(full % 2n ** 32n), near)).toBe(full)
      }),
    )
  })

  it('refuses what is not a snapshot', () => {
    for (const text of ['', '1', '1:2', '1:2:3,', 'a:b:c'])
      expect(() => parsePgSnapshot(text)).toThrow(/Not a Postgres snapshot/)
  })
})
