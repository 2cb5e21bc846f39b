import type { TidemarkError } from '../../protocol/index.ts'

/** How soon what was written should go: SQL when the typing pauses, actions and transactions at once. */
export type Urgency = 'soon' | 'now'

/** What the sending of the outbox is doing. */
export type DrainState =
  | { readonly phase: 'closed' }
  /** Offline (no error), refused, or told not to try again as it is. */
  | { readonly phase: 'stopped'; readonly error: TidemarkError | null; readonly hasWork: boolean }
  /** Not caught up with the server: what there is to send waits for that, with a bound. */
  | { readonly phase: 'pulling'; readonly hasWork: boolean; readonly attempt: number }
  | { readonly phase: 'idle' }
  /** Nothing can be made of what waits before a copy of the tables is shown again. */
  | { readonly phase: 'held' }
  /** `sinceMs`: when the first of what waits was written. */
  | { readonly phase: 'waiting'; readonly sinceMs: number }
  | {
      readonly phase: 'sending'
      /** Failures since the last answer. */
      readonly attempt: number
      /** What was written meanwhile. */
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
      /** The server said for how long: nothing shortens it. */
      readonly isAsked: boolean
      readonly isLost: boolean
    }

export type DrainPhase = DrainState['phase']
export type StateOf<Phase extends DrainPhase> = Extract<DrainState, { readonly phase: Phase }>

export type DrainEvent =
  /** The connection tries to be one, after being offline or refused. */
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
  /** There is something to send, and nothing can be made of it while no copy of the tables is shown. */
  | { readonly type: 'held-back' }
  /** A copy of the tables is shown. */
  | { readonly type: 'shown' }
  /** Answered in part: the rest is to come later. */
  | { readonly type: 'put-off'; readonly hasProgress: boolean; readonly error: TidemarkError }
  | { readonly type: 'failed'; readonly error: TidemarkError }
  | { readonly type: 'retry-due' }
  /** The network came back or the page was shown again. */
  | { readonly type: 'wake' }

export type DrainEventType = DrainEvent['type']
export type EventOf<Type extends DrainEventType> = Extract<DrainEvent, { readonly type: Type }>

/** What the shell does; the machine itself touches nothing. */
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

/** What a transition may know of the world. */
export interface Surroundings {
  readonly nowMs: number
  /** In [0, 1). */
  readonly random: number
}
