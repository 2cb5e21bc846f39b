import { type Lsn, maxLsn } from '../../../protocol/index.ts'

/** The state of a SyncDO's own log when a delivery comes. */
export interface LogState {
  readonly epoch: string | null
  readonly head: Lsn | null
  /** The version of the subscription that is wanted. */
  readonly version: number
  /** Answers the lowest start of the audiences that joined after a version, which its deliveries lack from there on. */
  readonly joinedAt: (version: number) => Lsn | null
}

interface Offer {
  readonly epoch: string
  readonly version: number
  readonly from: Lsn
  readonly to: Lsn
  readonly whole: boolean
}

/**
 * `unknown`: nobody subscribed here. `other-epoch`: ask the ReplicationDO which one holds. `known`: nothing new.
 * `append`: take what lies above the head. `gap`: read up to `to` from history.
 */
export type DeliveryVerdict = 'unknown' | 'other-epoch' | 'known' | 'append' | 'gap'

/** Decides what to do with a delivery, whatever was lost, doubled or overtaken before it. Rule DIS-R2. */
export function judgeDelivery(log: LogState, offer: Offer): DeliveryVerdict {
  if (log.epoch === null || log.head === null) return 'unknown'
  if (offer.epoch !== log.epoch) return 'other-epoch'
  if (offer.to <= log.head) return 'known'
  if (!offer.whole || offer.from > log.head) return 'gap'
  const joinedAt = offer.version < log.version ? log.joinedAt(offer.version) : null
  return joinedAt !== null && offer.to > joinedAt ? 'gap' : 'append'
}

/** Answers where a new audience begins in the log: never below what was routed or read without it. Rule DIS-R3. */
export function joinPosition(routedTo: Lsn, head: Lsn | null, readingTo: Lsn | null): Lsn {
  return maxLsn(routedTo, ...[head, readingTo].filter((lsn): lsn is Lsn => lsn !== null))
}

/** Makes a subscription version above every earlier one, even when the object's own memory of them is gone. */
export function nextVersion(version: number, nowMs: number): number {
  return Math.max(version + 1, nowMs)
}

/** Finds the last transaction to drop, oldest first, so that the rest is within the limit; null when none must go. */
export function trimPoint(
  oldestFirst: Iterable<{ readonly lsn: Lsn; readonly chars: number }>,
  totalChars: number,
  limitChars: number,
): { readonly to: Lsn; readonly chars: number } | null {
  let dropped = 0
  let to: Lsn | null = null
  if (totalChars <= limitChars) return null
  for (const transaction of oldestFirst) {
    dropped += transaction.chars
    to = transaction.lsn
    if (totalChars - dropped <= limitChars) break
  }
  return to === null ? null : { to, chars: dropped }
}
