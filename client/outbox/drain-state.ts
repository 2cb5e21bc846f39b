import type { TidemarkError } from '../../protocol/index.ts'

/** The urgency of a write: SQL goes when the typing pauses, actions and transactions at once. */
export type Urgency = 'soon' | 'now'

/** The state of sending the outbox. */
export type DrainState =
  | { readonly phase: 'closed' }
  /** Offline (no error), refused, or stopped by an error that no retry mends. */
  | { readonly phase: 'stopped'; readonly error: TidemarkError | null; readonly hasWork: boolean }
  /** Not caught up with the server: work waits for that, within a bound. */
  | { readonly phase: 'pulling'; readonly hasWork: boolean; readonly attempt: number }
  | { readonly phase: 'idle' }
  /** No push can be made of the waiting work before a copy of the tables is shown again. */
  | { readonly phase: 'held' }
  /** `sinceMs` is the time of the first write that waits. */
  | { readonly phase: 'waiting'; readonly sinceMs: number }
  | {
      readonly phase: 'sending'
      /** Failures since the last answer. */
      readonly attempt: number
      /** The urgency, and the first time, of writes made meanwhile; null where there are none. */
      readonly again: { readonly urgency: Urgency; readonly sinceMs: number } | null
      /** The connection was lost meanwhile: pull before the next push. */
      readonly isLost: boolean
      /** A copy came to be shown meanwhile. */
      readonly isShown: boolean
    }
  | {
      readonly phase: 'backing-off'
      readonly attempt: number
      readonly error: TidemarkError
      /** True where the server named the delay: nothing shortens it. */
      readonly isAsked: boolean
      readonly isLost: boolean
    }

export type DrainPhase = DrainState['phase']
export type StateOf<Phase extends DrainPhase> = Extract<DrainState, { readonly phase: Phase }>

export type DrainEvent =
  /** The connection is tried again, after being offline or refused. */
  | { readonly type: 'online' }
  /** Caught up; `isNew` the first time on a socket. */
  | { readonly type: 'live'; readonly isNew: boolean }
  /** No longer live, and trying to be. */
  | { readonly type: 'lost' }
  | { readonly type: 'offline' }
  | { readonly type: 'refused'; readonly error: TidemarkError }
  | { readonly type: 'close' }
  /** There is something to send. */
  | { readonly type: 'written'; readonly urgency: Urgency }
  | { readonly type: 'quiet' }
  | { readonly type: 'pull-overdue' }
  /** A push was answered, or there was nothing to push; `hasMore` where more waits than one push may hold. */
  | { readonly type: 'answered'; readonly hasMore: boolean }
  /** Work waits, and no push can be made of it while no copy of the tables is shown. */
  | { readonly type: 'held-back' }
  /** A copy of the tables is shown. */
  | { readonly type: 'shown' }
  /** A push was answered in part: the rest is to be sent later. */
  | { readonly type: 'put-off'; readonly hasProgress: boolean; readonly error: TidemarkError }
  | { readonly type: 'failed'; readonly error: TidemarkError }
  | { readonly type: 'retry-due' }
  /** The network came back or the page was shown again. */
  | { readonly type: 'wake' }

export type DrainEventType = DrainEvent['type']
export type EventOf<Type extends DrainEventType> = Extract<DrainEvent, { readonly type: Type }>

/** The shell performs these; the machine itself touches nothing. */
export type DrainEffect =
  | { readonly do: 'push' }
  | { readonly do: 'abort-push' }
  | { readonly do: 'arm-quiet'; readonly delayMs: number }
  | { readonly do: 'disarm-quiet' }
  | { readonly do: 'arm-pull'; readonly delayMs: number }
  | { readonly do: 'disarm-pull' }
  | { readonly do: 'arm-retry'; readonly delayMs: number }
  | { readonly do: 'disarm-retry' }

export interface Step {
  readonly state: DrainState
  readonly effects: readonly DrainEffect[]
}

/** A transition knows nothing of the world but this. */
export interface Surroundings {
  readonly nowMs: number
  /** In [0, 1). */
  readonly random: number
}
