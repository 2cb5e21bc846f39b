import { TidemarkError } from './errors.ts'

/**
 * A position in the write-ahead log as 16 lower-case hex digits, zero-padded, so that string order is LSN order.
 *
 * Everywhere outside Postgres an LSN has this form; inside it is `pg_lsn`. This file is the only parser.
 */
export type Lsn = string & { readonly __brand: 'Lsn' }

const PADDED = /^[0-9a-f]{16}$/
const POSTGRES = /^([0-9a-fA-F]{1,8})\/([0-9a-fA-F]{1,8})$/

/** The LSN below every other; Postgres never writes a commit here. */
export const ZERO_LSN = '0000000000000000' as Lsn

/** Reads Postgres' `X/Y` form. Throws `bad-input` on anything else. */
export function parsePgLsn(text: string): Lsn {
  const match = POSTGRES.exec(text)
  if (!match) throw new TidemarkError('bad-input', `Not a Postgres LSN: ${JSON.stringify(text)} (expected X/Y in hex).`)
  const [, high = '', low = ''] = match
  return (high.padStart(8, '0') + low.padStart(8, '0')).toLowerCase() as Lsn
}

/** Writes the `X/Y` form that `::pg_lsn` reads. */
export function formatPgLsn(lsn: Lsn): string {
  const strip = (hex: string) => hex.replace(/^0+(?=.)/, '').toUpperCase()
  return `${strip(lsn.slice(0, 8))}/${strip(lsn.slice(8))}`
}

export function isLsn(text: unknown): text is Lsn {
  return typeof text === 'string' && PADDED.test(text)
}

/** Reads the padded form. Throws `bad-input` on anything else. */
export function asLsn(text: string): Lsn {
  if (!isLsn(text))
    throw new TidemarkError('bad-input', `Not an LSN: ${JSON.stringify(text)} (expected 16 hex digits).`)
  return text
}

/** Reads the 64-bit integer that pgoutput carries. */
export function lsnFromBigInt(value: bigint): Lsn {
  return value.toString(16).padStart(16, '0') as Lsn
}

export function maxLsn(first: Lsn, ...rest: Lsn[]): Lsn {
  return rest.reduce((best, lsn) => (lsn > best ? lsn : best), first)
}

export function minLsn(first: Lsn, ...rest: Lsn[]): Lsn {
  return rest.reduce((best, lsn) => (lsn < best ? lsn : best), first)
}

/** Returns the position this many bytes further on; a negative number gives one before it. */
export function lsnAfter(lsn: Lsn, bytes: bigint): Lsn {
  return lsnFromBigInt(lsnToBigInt(lsn) + bytes)
}

/** Counts the bytes from the beginning of the log. */
export function lsnToBigInt(lsn: Lsn): bigint {
  return BigInt(`0x${lsn}`)
}

/** Counts the bytes of log between two positions, for lag figures. */
export function lsnDistanceBytes(from: Lsn, to: Lsn): number {
  return Number(lsnToBigInt(to) - lsnToBigInt(from))
}
