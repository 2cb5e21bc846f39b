import { type Lsn, lsnAfter, lsnFromBigInt, lsnToBigInt, minLsn, parsePgSnapshot } from '../../protocol/index.ts'

/** A snapshot transaction's view of capture, all of it read inside that transaction. */
export interface SnapshotFacts {
  /** `pg_current_snapshot()`. */
  readonly snapshot: string
  readonly epoch: {
    readonly id: string
    readonly head: Lsn
    readonly floor: Lsn
    readonly startXid: bigint
  } | null
  /** The hash of the latest stored definition. */
  readonly definitionHash: string | null
  /** The LSN at which this epoch's capture passed that definition; null where it has not yet. */
  readonly definitionLsn: Lsn | null
  /** The first captured transaction that the snapshot does not show. */
  readonly firstHidden: Lsn | null
  /** `pg_current_wal_insert_lsn()`, read after the snapshot was taken. */
  readonly insertLsn: Lsn
  readonly walBlockBytes: number
  readonly walSegmentBytes: number
}

/** Why a snapshot cannot be read now; each reason passes by itself or with the next capture cycle. */
export type WaitReason =
  | 'no-epoch'
  | 'no-definition'
  | 'definition-changed'
  | 'definition-ahead'
  | 'epoch-young'
  | 'behind-floor'
  | 'altered'
  | 'locked'

export type JoinPosition = { readonly start: Lsn; readonly fence: Lsn } | { readonly wait: WaitReason }

/** Header of a log page, and of a segment's first page: no record ends inside it. */
const PAGE_HEADER_BYTES = 24n
const SEGMENT_HEADER_BYTES = 40n

/**
 * Turns the insert position into the end of the last record: right behind a page header it means the page's start.
 *
 * Without this a quiet server's flush position stays below the fence until something is written.
 */
export function fenceOf({
  insertLsn,
  walBlockBytes,
  walSegmentBytes,
}: Pick<SnapshotFacts, 'insertLsn' | 'walBlockBytes' | 'walSegmentBytes'>): Lsn {
  const position = lsnToBigInt(insertLsn)
  const header = position % BigInt(walSegmentBytes) === SEGMENT_HEADER_BYTES ? SEGMENT_HEADER_BYTES : PAGE_HEADER_BYTES
  return position % BigInt(walBlockBytes) === header ? lsnFromBigInt(position - header) : insertLsn
}

/**
 * Finds where the stream joins a snapshot, or why that is not yet known; `readHash` is of the definition whose tables
 * were locked.
 */
export function joinPosition(facts: SnapshotFacts, readHash: string): JoinPosition {
  const { epoch } = facts
  if (epoch === null) return { wait: 'no-epoch' }
  if (facts.definitionHash === null) return { wait: 'no-definition' }
  if (facts.definitionHash !== readHash) return { wait: 'definition-changed' }
  // A transaction that committed before the slot's first position, and is still hidden here, would be in neither
  // snapshot nor stream.
  if (parsePgSnapshot(facts.snapshot).xmin <= epoch.startXid) return { wait: 'epoch-young' }
  const start = facts.firstHidden === null ? epoch.head : minLsn(epoch.head, lsnAfter(facts.firstHidden, -1n))
  // From a start below the definition's commit the stream would bring rows of the former shape.
  if (facts.definitionLsn === null || start < facts.definitionLsn) return { wait: 'definition-ahead' }
  if (start < epoch.floor) return { wait: 'behind-floor' }
  return { start, fence: fenceOf(facts) }
}
