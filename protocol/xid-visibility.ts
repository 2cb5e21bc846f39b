import { TidemarkError } from './errors.ts'

/** A transaction id as the log carries it: 32 bits, in decimal text. */
export type Xid = string

/**
 * The transactions that a Postgres snapshot shows: all below `xmin`, none from `xmax` on, and between them all but
 * `inProgress`.
 */
export interface PgSnapshot {
  readonly xmin: bigint
  readonly xmax: bigint
  readonly inProgress: ReadonlySet<bigint>
}

const FORM = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/
const XID_RANGE = 1n << 32n

/** Reads the text of `pg_current_snapshot()`: `xmin:xmax:xip,…` in 64-bit ids. Throws `bad-input`. */
export function parsePgSnapshot(text: string): PgSnapshot {
  const match = FORM.exec(text)
  if (!match) throw new TidemarkError('bad-input', `Not a Postgres snapshot: ${JSON.stringify(text)}.`)
  const [, xmin = '0', xmax = '0', list = ''] = match
  const inProgress = new Set(list === '' ? [] : list.split(',').map(BigInt))
  return { xmin: BigInt(xmin), xmax: BigInt(xmax), inProgress }
}

/** Returns the 64-bit id nearest to `near` whose lower half is the 32-bit `xid`. */
export function extendXid(xid: Xid, near: bigint): bigint {
  const base = near - (near % XID_RANGE) + (BigInt(xid) % XID_RANGE)
  const candidates = [base - XID_RANGE, base, base + XID_RANGE].filter((candidate) => candidate >= 0n)
  const distance = (candidate: bigint) => (candidate > near ? candidate - near : near - candidate)
  return candidates.reduce((best, candidate) => (distance(candidate) < distance(best) ? candidate : best))
}

/** Tells whether the snapshot shows a committed transaction with this top-level xid, comparing modulo 2³². */
export function isVisibleIn(snapshot: PgSnapshot, xid: Xid): boolean {
  const full = extendXid(xid, snapshot.xmax)
  if (full < snapshot.xmin) return true
  if (full >= snapshot.xmax) return false
  return !snapshot.inProgress.has(full)
}
