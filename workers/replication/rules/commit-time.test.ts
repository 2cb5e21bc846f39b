import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isoOfMicroseconds, isoOfPostgresText } from './commit-time.ts'

/** As `timestamptz` prints under UTC: no zeros behind, no point without digits. */
function printed(microseconds: bigint): string {
  const iso = new Date(Date.UTC(2000, 0, 1) + Number(microseconds / 1_000_000n) * 1_000).toISOString().slice(0, 19)
  const fraction = String(microseconds % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  return `${iso.replace('T', ' ')}${fraction === '' ? '' : `.${fraction}`}+00`
}

test('both plugins say a commit time alike, and it never loses a microsecond', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 3_000_000_000_000_000n }), (microseconds) => {
      const iso = isoOfMicroseconds(microseconds)
      expect(isoOfPostgresText(printed(microseconds))).toBe(iso)
      expect(BigInt(Date.parse(iso) - Date.UTC(2000, 0, 1)) * 1_000n + BigInt(iso.slice(-4, -1))).toBe(microseconds)
    }),
  )
})

test.each([
  [0n, '2000-01-01T00:00:00.000000Z'],
  [1n, '2000-01-01T00:00:00.000001Z'],
  [999n, '2000-01-01T00:00:00.000999Z'],
  [1_000n, '2000-01-01T00:00:00.001000Z'],
  [843_004_799_999_999n, '2026-09-17T23:59:59.999999Z'],
])('%s microseconds since 2000 are %s', (microseconds, iso) => {
  expect(isoOfMicroseconds(microseconds)).toBe(iso)
})

test('times have one length, so that their order as texts is that of time', () => {
  const times = [0n, 5n, 900_000n, 1_000_000n, 31_622_400_000_000n].map(isoOfMicroseconds)
  expect(times.toSorted()).toEqual(times)
  expect(new Set(times.map(({ length }) => length)).size).toBe(1)
})
