import type { Lsn, TidemarkError } from '../../protocol/index.ts'

interface Trying {
  /** Failures since the replica was last live; the backoff grows with it. */
  readonly attempt: number
}

interface Connected extends Trying {
  /** The time at which the server was last heard, by any frame or pong. */
  readonly heardAtMs: number
  /** The time at which the oldest unanswered ping was sent; null where none waits for an answer. */
  readonly pingedAtMs: number | null
  /** Counts how often the server asked on this socket to load anew since the replica was last live. */
  readonly loads?: number
}

/** The state of the connection alone: `ready` and the rows belong to the replica. */
export type ConnectionState =
  | { readonly phase: 'closed' }
  | { readonly phase: 'offline' }
  | ({ readonly phase: 'authorizing' } & Trying)
  | ({ readonly phase: 'connecting' } & Connected)
  | ({ readonly phase: 'greeting' } & Connected)
  | ({ readonly phase: 'hydrating' } & Connected)
  | ({ readonly phase: 'catching-up' } & Connected)
  | ({ readonly phase: 'live' } & Connected)
  | ({ readonly phase: 'backing-off'; readonly error: TidemarkError } & Trying)
  | { readonly phase: 'refused'; readonly error: TidemarkError }

export type ConnectionPhase = ConnectionState['phase']
export type StateOf<Phase extends ConnectionPhase> = Extract<ConnectionState, { readonly phase: Phase }>
export type ConnectedState = StateOf<'connecting' | 'greeting' | 'hydrating' | 'catching-up' | 'live'>

export type ConnectionEvent =
  | { readonly type: 'go-online' }
  | { readonly type: 'go-offline' }
  | { readonly type: 'close' }
  /** The app wants another session, whatever this one is doing. */
  | { readonly type: 'reconnect' }
  /** The network came back or the page was shown again. */
  | { readonly type: 'wake' }
  | { readonly type: 'token-obtained' }
  | { readonly type: 'token-failed'; readonly error: TidemarkError }
  | { readonly type: 'socket-opened' }
  | { readonly type: 'socket-closed'; readonly error: TidemarkError }
  | { readonly type: 'heard' }
  | { readonly type: 'welcomed'; readonly resume: 'stream' | 'hydrate' }
  | { readonly type: 'hydrated'; readonly epoch: string; readonly from: Lsn }
  | { readonly type: 'rehydrate' }
  /** A frame, a download or an apply went wrong, or the server said so. */
  | { readonly type: 'failed'; readonly error: TidemarkError }
  | { readonly type: 'caught-up' }
  | { readonly type: 'fell-behind' }
  | { readonly type: 'retry-due' }
  | { readonly type: 'heartbeat' }
  | { readonly type: 'renewal-due' }

export type ConnectionEventType = ConnectionEvent['type']
export type EventOf<Type extends ConnectionEventType> = Extract<ConnectionEvent, { readonly type: Type }>

/** The shell performs these; the machine itself touches nothing. */
export type ConnectionEffect =
  | { readonly do: 'request-token' }
  | { readonly do: 'forget-token' }
  | { readonly do: 'renew-token' }
  | { readonly do: 'open-socket' }
  | { readonly do: 'close-socket' }
  | { readonly do: 'send-hello' }
  | { readonly do: 'send-ping' }
  | { readonly do: 'send-stream'; readonly epoch: string; readonly from: Lsn }
  | { readonly do: 'start-hydration' }
  | { readonly do: 'stop-hydration' }
  | { readonly do: 'start-stream' }
  | { readonly do: 'stop-stream' }
  | { readonly do: 'arm-retry'; readonly delayMs: number }
  | { readonly do: 'disarm-retry' }
  | { readonly do: 'arm-heartbeat'; readonly delayMs: number }
  | { readonly do: 'disarm-heartbeat' }

export interface Step {
  readonly state: ConnectionState
  readonly effects: readonly ConnectionEffect[]
}

/** A transition knows nothing of the world but this. */
export interface Surroundings {
  readonly nowMs: number
  /** In [0, 1). */
  readonly random: number
}
