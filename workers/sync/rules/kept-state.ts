import type { Lsn } from '../../../protocol/index.ts'
import { type Position, positionAt, positionKey } from './position.ts'
import type { SessionState } from './session-state.ts'

/**
 * What a socket's attachment holds: the state when it was written, and whether the session then stood at the log's head.
 *
 * Where one follows the head, position and times go on without being written. What it was sent may be counted short by
 * less than `unkeptChars` of the window.
 */
export type KeptState = SessionState & {
  readonly follows?: boolean
  /** The count may be short by so much, of earlier restarts; absent where none was. */
  readonly uncounted?: number
}

/** So many characters are sent at most until the count of them is kept: a window may be open wider by this after a restart. */
export const unkeptChars = (windowChars: number): number => Math.floor(windowChars / 8)

/** Answers what to keep of a session's state. Rule DIS-R25. */
export const keptOf = (state: SessionState, head: Lsn | null): KeptState => ({
  ...state,
  follows: isAtHead(state.position, head),
})

/** Answers the state of a session whose object comes back: one that followed the head is wherever that is by now. */
export function restoredState({ follows, uncounted: _, ...state }: KeptState, head: Lsn | null): SessionState {
  return follows && head !== null && state.position !== null ? { ...state, position: positionAt(head) } : state
}

/** Answers whether an object that came back now would know less of the session than it may. */
export function mustKeep(kept: KeptState, state: SessionState, head: Lsn | null, unkept: number): boolean {
  const follows = isAtHead(state.position, head)
  if (kept.follows !== follows || state.sent - kept.sent >= unkept) return true
  return !follows && kept.position !== state.position && positionKey(kept.position) !== positionKey(state.position)
}

const isAtHead = (position: Position | null, head: Lsn | null) =>
  position !== null && position.part === null && position.lsn === head
