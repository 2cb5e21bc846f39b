import { type Lsn, lsnAfter, lsnToBigInt } from '../../../protocol/index.ts'

/** Postgres aligns its records: no transaction ends at any other place. */
const ALIGNMENT = 8n

/** Makes the place of a version that comes in force right after `end`, by no transaction of its own. */
export function placeAfter(end: Lsn): Lsn {
  return lsnAfter(end, 1n)
}

/**
 * Returns where the slot may stand once history has reached `place`. A transaction whose commit record begins below its
 * slot is never told, so that a slot must not stand at a place that `placeAfter` made.
 */
export function slotPlace(place: Lsn): Lsn {
  return lsnToBigInt(place) % ALIGNMENT === 1n ? lsnAfter(place, -1n) : place
}
