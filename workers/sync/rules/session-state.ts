import type { Lsn } from '../../../protocol/index.ts'
import type { Position } from './position.ts'
import type { Bucket } from './token-bucket.ts'

/**
 * `opened`: the socket is there. `greeting`: hello came and is being answered. `hydrating`: it loads snapshots, or must.
 * `streaming`: it gets frames from its position on. `closed`: said goodbye.
 */
export type SessionPhase = 'opened' | 'greeting' | 'hydrating' | 'streaming' | 'closed'

/** A session's memory, kept in its socket's attachment (at most 16,384 bytes); its audiences are in SQLite. */
export interface SessionState {
  readonly id: string
  readonly userId: string
  readonly phase: SessionPhase
  /** Null until its hello is answered for. */
  readonly client: string | null
  /** What the client's mutations up to here came to, it knew when it said hello. */
  readonly settledTo: Lsn
  /** Asked of the stream: up to here its own mutations are told as the rows captured. */
  readonly rowsTo: Lsn | null
  /** Null until it streams. */
  readonly position: Position | null
  readonly sent: number
  readonly acked: number
  readonly expiresAtMs: number | null
  readonly openedAtMs: number
  readonly streamSinceMs: number
  readonly lastSentMs: number
  /** Since when the window is full; null while it is not. */
  readonly fullSinceMs: number | null
  readonly messages: Bucket
  /** Counts how often its rights may have changed, and up to which count they were asked for anew; nothing is sent between. */
  readonly rightsChanged: number
  readonly rightsAsked: number
  /** How many tables its client says it cannot hold, and the first of them. */
  readonly refused?: { readonly count: number; readonly first: string }
}

export type SessionEvent = 'hello' | 'stream' | 'ack' | 'token' | 'refused'

/** Which frames a client may send in which phase. */
const ADMITTED: Readonly<Record<SessionPhase, readonly SessionEvent[]>> = {
  opened: ['hello', 'token'],
  greeting: ['token', 'ack'],
  hydrating: ['stream', 'ack', 'token', 'refused'],
  streaming: ['stream', 'ack', 'token', 'refused'],
  closed: [],
}

/** Whether a frame of this type has a meaning now; one that has none is bad input. */
export function admits(phase: SessionPhase, event: SessionEvent): boolean {
  return ADMITTED[phase].includes(event)
}

/** When this session needs the object awake: to close it if it stays silent, or without right. Null: never. */
export function sessionDeadlineMs(
  state: SessionState,
  intervals: { readonly helloMs: number; readonly stallMs: number },
): number | null {
  if (state.phase === 'opened') return state.openedAtMs + intervals.helloMs
  return state.fullSinceMs === null ? null : state.fullSinceMs + intervals.stallMs
}
