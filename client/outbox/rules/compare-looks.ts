/** The findings of one look at the outbox; mutations are named by their counters. */
export interface OutboxLook {
  /** A copy is shown, so that rows can stand beside failures and undo knows what was written. */
  readonly isShown: boolean
  /** The last mutation made here. */
  readonly last: number
  readonly pending: number
  /** The newest one without an outcome; 0 where there is none. */
  readonly newest: number
  /** The oldest one that is not settled; null where all are. */
  readonly oldest: number | null
  /** The time at which the oldest of them was made; ISO 8601. */
  readonly since: string | null
  readonly failed: readonly number[]
}

/** The places up to which earlier looks were followed up. */
export interface FollowedUp {
  /** The last mutation that was noted for undo, or passed over. */
  readonly notedTo: number
  /** The last mutation whose sending was asked for. */
  readonly sentTo: number
  /** The failures as they were read, by `failuresKey`. */
  readonly failures: string | null
}

export interface FollowUp {
  readonly notesUndo: boolean
  readonly readsFailures: boolean
  readonly asksToSend: boolean
}

/** Failures are read anew where others failed, and where rows to show beside them come or go. */
export const failuresKey = ({ isShown, failed }: Pick<OutboxLook, 'isShown' | 'failed'>): string =>
  JSON.stringify([isShown, failed])

/** Decides what a look calls for that earlier ones did not. */
export function compareLooks(before: FollowedUp, look: OutboxLook): FollowUp {
  return {
    notesUndo: look.isShown && look.last > before.notedTo,
    readsFailures: failuresKey(look) !== before.failures,
    asksToSend: look.newest > before.sentTo,
  }
}

/** Says whether everything up to a mutation is settled. */
export const isSettledTo = ({ oldest }: Pick<OutboxLook, 'oldest'>, counter: number): boolean =>
  oldest === null || oldest > counter
