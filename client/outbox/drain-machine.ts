/*
 * Decides when local writes are sent.
 *
 * Nothing is sent before the replica has caught up, so that every push was decided on what its author could see; the
 * wait ends after `PULL_MS`, since a database under load may never be caught up with. SQL waits for a pause in typing,
 * actions go at once. One push is under way at a time; later writes go in the next. A fault that may pass has the push
 * sent again, the same to the byte, after a pause that grows; one that no retry mends stops everything until the app or
 * the connection says otherwise.
 *
 *     stopped ──online──► pulling ──live, or overdue──► sending ──answered──► idle
 *        ▲                                             ▲   │  ▲                 │ written
 *        │ offline, refused                      quiet │   │  └── waiting ◄─────┘
 *        └──────── (from everywhere)                   │   └──fault──► backing-off ──retry──► sending
 *                                                    held ◄── nothing can be made of it before a copy is whole
 *
 * Every state answers every event, and a transition touches nothing: what is to be done is returned as data, and `Drain` does it.
 */
import type { TidemarkError } from '../../protocol/index.ts'
import { backoffDelayMs } from '../connection/backoff.ts'
import type {
  DrainEffect,
  DrainEvent,
  DrainEventType,
  DrainPhase,
  DrainState,
  EventOf,
  StateOf,
  Step,
  Surroundings,
  Urgency,
} from './drain-state.ts'

type Transition<Phase extends DrainPhase, Type extends DrainEventType> = (
  state: StateOf<Phase>,
  event: EventOf<Type>,
  surroundings: Surroundings,
) => Step

/** Every state × every event: a cell left out does not compile. */
export type DrainTable = {
  readonly [Phase in DrainPhase]: { readonly [Type in DrainEventType]: Transition<Phase, Type> }
}

export const INITIAL_DRAIN: DrainState = { phase: 'stopped', error: null, hasWork: false }

/** SQL writes go once nothing was written for this long. */
const QUIET_MS = 250
/** SQL writes go at the latest this long after the first of them. */
const LONGEST_QUIET_MS = 1_000
/** A push waits at most this long for the replica to catch up. */
const PULL_MS = 10_000

const stay = (state: DrainState): Step => ({ state, effects: [] })

function leaving(state: DrainState): DrainEffect[] {
  switch (state.phase) {
    case 'pulling':
      return state.hasWork ? [{ do: 'disarm-pull' }] : []
    case 'waiting':
      return [{ do: 'disarm-quiet' }]
    case 'sending':
      return [{ do: 'abort-push' }]
    case 'backing-off':
      return [{ do: 'disarm-retry' }]
    default:
      return []
  }
}

const hasWork = (state: DrainState): boolean =>
  'hasWork' in state ? state.hasWork : state.phase !== 'idle' && state.phase !== 'closed'

const toClosed = (state: DrainState): Step => ({ state: { phase: 'closed' }, effects: leaving(state) })

function stop(state: DrainState, error: TidemarkError | null): Step {
  return { state: { phase: 'stopped', error, hasWork: hasWork(state) }, effects: leaving(state) }
}

const toOffline = (state: DrainState): Step => stop(state, null)
const toRefused = (state: DrainState, { error }: EventOf<'refused'>): Step => stop(state, error)

function send(state: DrainState, attempt = 0): Step {
  const effects: DrainEffect[] = [...leaving(state), { do: 'push' }]
  return { state: { phase: 'sending', attempt, again: null, isLost: false, isShown: false }, effects }
}

function pull(state: DrainState, work: boolean, attempt = 0): Step {
  const wait: DrainEffect[] = work ? [{ do: 'arm-pull', delayMs: PULL_MS }] : []
  return { state: { phase: 'pulling', hasWork: work, attempt }, effects: [...leaving(state), ...wait] }
}

function wait(state: DrainState, sinceMs: number, { nowMs }: Surroundings): Step {
  const delayMs = Math.max(0, Math.min(QUIET_MS, sinceMs + LONGEST_QUIET_MS - nowMs))
  return { state: { phase: 'waiting', sinceMs }, effects: [...leaving(state), { do: 'arm-quiet', delayMs }] }
}

type Again = StateOf<'sending'>['again']

function alsoWritten(before: Again, urgency: Urgency, nowMs: number): Again {
  return { urgency: before?.urgency === 'now' ? 'now' : urgency, sinceMs: before?.sinceMs ?? nowMs }
}

/** Answers the step after a push; `over` stands for the state with nothing in hand. */
function afterAnswer(state: StateOf<'sending'>, hasMore: boolean, surroundings: Surroundings): Step {
  const { again, isLost } = state
  const over: DrainState = { phase: 'idle' }
  if (isLost) return pull(over, hasMore || again !== null)
  if (hasMore || again?.urgency === 'now') return send(over)
  return again ? wait(over, again.sinceMs, surroundings) : stay(over)
}

/** Lets held-back work go, because a copy came to be shown before the drain learnt that it is held. */
function afterHolding(isLost: boolean): Step {
  const over: DrainState = { phase: 'idle' }
  return isLost ? pull(over, true) : send(over)
}

function backOff(state: StateOf<'sending'>, attempt: number, error: TidemarkError, { random }: Surroundings): Step {
  const { isLost } = state
  // On top of what the server asks for: replicas that it asked alike would all come back at once.
  const delayMs = (error.retryAfterMs ?? 0) + backoffDelayMs(attempt, random)
  return {
    state: { phase: 'backing-off', attempt: attempt + 1, error, isAsked: error.retryAfterMs !== null, isLost },
    effects: [{ do: 'arm-retry', delayMs }],
  }
}

const inert = {
  online: stay,
  live: stay,
  lost: stay,
  offline: toOffline,
  refused: toRefused,
  close: toClosed,
  written: stay,
  quiet: stay,
  'pull-overdue': stay,
  answered: stay,
  'held-back': stay,
  shown: stay,
  'put-off': stay,
  failed: stay,
  'retry-due': stay,
  wake: stay,
}

export const DRAIN_TABLE: DrainTable = {
  closed: { ...inert, offline: stay, refused: stay, close: stay },
  stopped: {
    ...inert,
    online: (state) => pull(state, state.hasWork),
    // Work that was stopped for good is tried again: a new connection may mean a new server.
    live: (state, { isNew }) => (!isNew ? stay(state) : state.hasWork ? send(state) : stay({ phase: 'idle' })),
    written: (state) => stay({ ...state, hasWork: true }),
  },
  pulling: {
    ...inert,
    live: (state) => (state.hasWork ? send(state, state.attempt) : stay({ phase: 'idle' })),
    written: (state) => (state.hasWork ? stay(state) : pull(state, true, state.attempt)),
    'pull-overdue': ({ attempt }) => send({ phase: 'idle' }, attempt),
  },
  idle: {
    ...inert,
    lost: (state) => pull(state, false),
    written: (state, { urgency }, surroundings) =>
      urgency === 'now' ? send(state) : wait(state, surroundings.nowMs, surroundings),
  },
  held: {
    ...inert,
    live: (state) => send(state),
    shown: (state) => pull(state, true),
  },
  waiting: {
    ...inert,
    lost: (state) => pull(state, true),
    written: (state, { urgency }, surroundings) =>
      urgency === 'now' ? send(state) : wait(state, state.sinceMs, surroundings),
    quiet: () => send({ phase: 'idle' }),
  },
  sending: {
    ...inert,
    live: (state) => stay({ ...state, isLost: false }),
    lost: (state) => stay({ ...state, isLost: true }),
    written: (state, { urgency }, { nowMs }) => stay({ ...state, again: alsoWritten(state.again, urgency, nowMs) }),
    shown: (state) => stay({ ...state, isShown: true }),
    'held-back': ({ isShown, isLost }) => (isShown ? afterHolding(isLost) : stay({ phase: 'held' })),
    answered: (state, { hasMore }, surroundings) => afterAnswer(state, hasMore, surroundings),
    'put-off': (state, { hasProgress, error }, surroundings) =>
      backOff(state, hasProgress ? 0 : state.attempt, error, surroundings),
    failed: (state, { error }, surroundings) =>
      error.retry === 'never'
        ? { state: { phase: 'stopped', error, hasWork: true }, effects: [] }
        : backOff(state, state.attempt, error, surroundings),
  },
  'backing-off': {
    ...inert,
    // A connection that catches up again and again on the same socket must not shorten the delay.
    live: (state, { isNew }) =>
      isNew && !state.isAsked ? send(state, state.attempt) : stay({ ...state, isLost: false }),
    lost: (state) => stay({ ...state, isLost: true }),
    'retry-due': ({ isLost, attempt }) =>
      isLost ? pull({ phase: 'idle' }, true, attempt) : send({ phase: 'idle' }, attempt),
    wake: (state) => (state.isAsked || state.isLost ? stay(state) : send(state, state.attempt)),
  },
}

/** The machine's one entry: pure, total, and never throwing. */
export function drainStep(state: DrainState, event: DrainEvent, surroundings: Surroundings): Step {
  // Each cell is checked against its state and event in the table; indexing both at once is what TypeScript cannot follow.
  const cell = DRAIN_TABLE[state.phase][event.type] as (
    state: DrainState,
    event: DrainEvent,
    surroundings: Surroundings,
  ) => Step
  return cell(state, event, surroundings)
}
