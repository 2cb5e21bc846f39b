import type { Lsn } from '../../../protocol/index.ts'
import type { Bucket } from '../../token-bucket.ts'
import type { Position } from './position.ts'

/**
 * `opened`: the socket is there. `greeting`: hello came and is being answered. `hydrating`: it loads snapshots, or must.
 * `streaming`: it gets frames from its position on. `closed`: it gets nothing more.
 */
export type SessionPhase = 'opened' | 'greeting' | 'hydrating' | 'streaming' | 'closed'

/** A session's memory, kept in its socket's attachment (at most 16,384 bytes); its audiences are in SQLite. */
export interface SessionState {
  readonly id: string
  readonly userId: string
  readonly phase: SessionPhase
  /** Null until the client is known to be the user's. */
  readonly client: string | null
  /** The last migration that its page's code knows; absent until the hello, and where that does not say. */
  readonly migration?: string | undefined
  /** The client knew the outcome of its mutations up to here when it said hello. */
  readonly settledTo: Lsn
  /** The client asked to be told its own mutations up to here as captured rows; null where it did not. */
  readonly rowsTo: Lsn | null
  /** Null until it streams. */
  readonly position: Position | null
  readonly sent: number
  readonly acked: number
  readonly expiresAtMs: number | null
  readonly openedAtMs: number
  readonly streamSinceMs: number
  readonly lastSentMs: number
  /** The time since which the window is full without any acknowledgement; null while it is not full. */
  readonly fullSinceMs: number | null
  readonly messages: Bucket
  /** Counts possible changes of its rights; nothing is sent until `rightsAsked`, the count answered for, equals it. */
  readonly rightsChanged: number
  readonly rightsAsked: number
  /** The number of tables that its client reports it cannot hold, and the first of them. */
  readonly refused?: { readonly count: number; readonly first: string }
  /** What its client reports of work that is not settled: since when the oldest late one waits, and how many failed. */
  readonly unsent?: { readonly sinceMs: number | null; readonly failed: number }
}

export type SessionEvent = 'hello' | 'stream' | 'ack' | 'token' | 'refused' | 'schema' | 'unsent'

/** The frames that a client may send in each phase. */
const ADMITTED: Readonly<Record<SessionPhase, readonly SessionEvent[]>> = {
  opened: ['hello', 'token'],
  greeting: ['token', 'ack'],
  hydrating: ['stream', 'ack', 'token', 'refused', 'schema', 'unsent'],
  streaming: ['stream', 'ack', 'token', 'refused', 'schema', 'unsent'],
  closed: [],
}

/** Answers whether a session loads or streams: what it holds can then be another than it should be. */
export const isServed = (phase: SessionPhase): boolean => phase === 'hydrating' || phase === 'streaming'

/** Answers whether a frame of this type has a meaning now; one that has none is bad input. */
export function admits(phase: SessionPhase, event: SessionEvent): boolean {
  return ADMITTED[phase].includes(event)
}

/** Answers the time at which the object must be awake to close this session if it stays silent; null for never. */
export function sessionDeadlineMs(
  state: SessionState,
  intervals: { readonly helloMs: number; readonly stallMs: number },
): number | null {
  if (state.phase === 'opened') return state.openedAtMs + intervals.helloMs
  return state.fullSinceMs === null ? null : state.fullSinceMs + intervals.stallMs
}
