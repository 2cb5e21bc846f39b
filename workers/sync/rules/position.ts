import { type Lsn, ZERO_LSN } from '../../../protocol/index.ts'

/** A transaction that a session has received in part. */
export interface PartPosition {
  readonly lsn: Lsn
  readonly xid: string
  readonly at: string
  /** The index of the next part. */
  readonly index: number
  /** The number of its changes already sent, counted over what this session may see. */
  readonly sent: number
}

/** A session was sent everything up to `lsn`, and perhaps a part of the transaction after it. */
export interface Position {
  readonly lsn: Lsn
  readonly part: PartPosition | null
}

export function positionAt(lsn: Lsn): Position {
  return { lsn, part: null }
}

export function positionKey(position: Position | null): string {
  if (!position) return ZERO_LSN
  return position.part
    ? `${position.lsn}+${position.part.lsn}.${position.part.index}.${position.part.sent}`
    : position.lsn
}
