import { LIMITS, TidemarkError } from '../../protocol/index.ts'
import { backoffDelayMs } from './backoff.ts'
import type {
  ConnectedState,
  ConnectionEffect,
  ConnectionEvent,
  ConnectionEventType,
  ConnectionPhase,
  ConnectionState,
  EventOf,
  StateOf,
  Step,
  Surroundings,
} from './connection-state.ts'

type Transition<Phase extends ConnectionPhase, Type extends ConnectionEventType> = (
  state: StateOf<Phase>,
  event: EventOf<Type>,
  surroundings: Surroundings,
) => Step

/** Every state × every event: a cell left out does not compile. */
export type TransitionTable = {
  readonly [Phase in ConnectionPhase]: { readonly [Type in ConnectionEventType]: Transition<Phase, Type> }
}

export const INITIAL_STATE: ConnectionState = { phase: 'offline' }

const stay = (state: ConnectionState): Step => ({ state, effects: [] })

/** Answers the effects that let go of all that a state holds, for leaving it to one without a socket. */
function leaving(state: ConnectionState): ConnectionEffect[] {
  switch (state.phase) {
    case 'backing-off':
      return [{ do: 'disarm-retry' }]
    case 'connecting':
    case 'greeting':
      return [{ do: 'disarm-heartbeat' }, { do: 'close-socket' }]
    case 'hydrating':
      return [{ do: 'stop-hydration' }, { do: 'disarm-heartbeat' }, { do: 'close-socket' }]
    case 'catching-up':
    case 'live':
      return [{ do: 'stop-stream' }, { do: 'disarm-heartbeat' }, { do: 'close-socket' }]
    default:
      return []
  }
}

const toClosed = (state: ConnectionState): Step => ({ state: { phase: 'closed' }, effects: leaving(state) })
const toOffline = (state: ConnectionState): Step => ({ state: { phase: 'offline' }, effects: leaving(state) })

function authorize(state: ConnectionState, attempt: number, ...before: ConnectionEffect[]): Step {
  return { state: { phase: 'authorizing', attempt }, effects: [...leaving(state), ...before, { do: 'request-token' }] }
}

type Active = StateOf<'authorizing'> | ConnectedState

function fail(state: Active, { error }: { readonly error: TidemarkError }, { random }: Surroundings): Step {
  if (error.retry === 'never') return { state: { phase: 'refused', error }, effects: leaving(state) }
  // A browser does not say why a handshake failed, so the token is suspect too.
  const suspect = error.retry === 'after-renewal' || state.phase === 'connecting'
  const forget: ConnectionEffect[] = suspect ? [{ do: 'forget-token' }] : []
  if (error.retry === 'after-renewal' && state.attempt === 0) return authorize(state, 1, ...forget)
  return {
    state: { phase: 'backing-off', attempt: state.attempt + 1, error },
    effects: [...leaving(state), ...forget, { do: 'arm-retry', delayMs: backoffDelayMs(state.attempt, random) }],
  }
}

function heard<State extends ConnectedState>(state: State, _event: unknown, { nowMs }: Surroundings): Step {
  return stay({ ...state, heardAtMs: nowMs, pingedAtMs: null })
}

/**
 * Silence beyond twice the bound is a sleep or a clock jump and ends the socket at once; within it a ping must have gone
 * unanswered, because timers of a hidden page come late.
 */
function checkPulse(state: ConnectedState, surroundings: Surroundings): Step {
  const { nowMs } = surroundings
  const silentMs = nowMs - state.heardAtMs
  const unanswered = state.pingedAtMs !== null || state.phase === 'connecting'
  if (silentMs > 2 * LIMITS.silenceMs || (unanswered && silentMs > LIMITS.silenceMs)) {
    const error = new TidemarkError(
      'unavailable',
      `Nothing heard from the server for ${Math.round(silentMs / 1000)} s.`,
    )
    return fail(state, { error }, surroundings)
  }
  const rearm: ConnectionEffect = { do: 'arm-heartbeat', delayMs: LIMITS.pingIntervalMs }
  // The clock went back: measure from here.
  const heardAtMs = Math.min(state.heardAtMs, nowMs)
  if (state.phase === 'connecting') return { state: { ...state, heardAtMs }, effects: [rearm] }
  const pingedAtMs = state.pingedAtMs ?? nowMs
  return { state: { ...state, heardAtMs, pingedAtMs }, effects: [{ do: 'send-ping' }, rearm] }
}

const pulse = (state: ConnectedState, _event: unknown, surroundings: Surroundings) => checkPulse(state, surroundings)
const renew = (state: ConnectedState): Step => ({ state, effects: [{ do: 'renew-token' }] })
const outOfTurn = (what: string) => (state: ConnectedState, _event: unknown, surroundings: Surroundings) =>
  fail(
    state,
    {
      error: new TidemarkError(
        'corrupt',
        `The server sent ${what} when none was due; the replica connects again, and nothing is lost.`,
      ),
    },
    surroundings,
  )

/** After this many loads in a row the next one waits for the backoff, because nothing else is sure to end the loop. */
const LOADS_IN_A_ROW = 3

function rehydrate(state: StateOf<'hydrating' | 'catching-up' | 'live'>, _event: unknown, around: Surroundings): Step {
  const loads = (state.loads ?? 0) + 1
  if (loads > LOADS_IN_A_ROW) {
    const message = 'The server asks again and again to load anew; reconnecting.'
    return fail(state, { error: new TidemarkError('unavailable', message) }, around)
  }
  const stop: ConnectionEffect = state.phase === 'hydrating' ? { do: 'stop-hydration' } : { do: 'stop-stream' }
  return { state: { ...state, phase: 'hydrating', loads }, effects: [stop, { do: 'start-hydration' }] }
}

const inert = {
  'go-online': stay,
  'go-offline': stay,
  close: toClosed,
  reconnect: stay,
  wake: stay,
  'token-obtained': stay,
  'token-failed': stay,
  'socket-opened': stay,
  'socket-closed': stay,
  heard: stay,
  welcomed: stay,
  hydrated: stay,
  rehydrate: stay,
  failed: stay,
  'caught-up': stay,
  'fell-behind': stay,
  'retry-due': stay,
  heartbeat: stay,
  'renewal-due': stay,
}

const connected = {
  ...inert,
  'go-offline': toOffline,
  reconnect: (state: ConnectedState): Step => authorize(state, 0),
  wake: (state: ConnectedState, _event: unknown, surroundings: Surroundings): Step => {
    const step = checkPulse(state, surroundings)
    return { state: step.state, effects: [{ do: 'disarm-heartbeat' }, ...step.effects] }
  },
  'socket-closed': fail,
  failed: fail,
  heard,
  heartbeat: pulse,
  'renewal-due': renew,
}

export const TRANSITIONS: TransitionTable = {
  closed: { ...inert, close: stay },
  offline: { ...inert, 'go-online': (state) => authorize(state, 0) },
  authorizing: {
    ...inert,
    'go-offline': toOffline,
    'token-obtained': (state, _event, { nowMs }) => ({
      state: { phase: 'connecting', attempt: state.attempt, heardAtMs: nowMs, pingedAtMs: null },
      effects: [{ do: 'open-socket' }, { do: 'arm-heartbeat', delayMs: LIMITS.pingIntervalMs }],
    }),
    'token-failed': fail,
    failed: fail,
  },
  connecting: {
    ...connected,
    'socket-opened': (state, _event, { nowMs }) => ({
      state: { ...state, phase: 'greeting', heardAtMs: nowMs },
      effects: [{ do: 'send-hello' }],
    }),
    'renewal-due': stay,
  },
  greeting: {
    ...connected,
    welcomed: (state, { resume }) =>
      resume === 'hydrate'
        ? { state: { ...state, phase: 'hydrating' }, effects: [{ do: 'start-hydration' }] }
        : { state: { ...state, phase: 'catching-up' }, effects: [{ do: 'start-stream' }] },
  },
  hydrating: {
    ...connected,
    welcomed: outOfTurn('a second welcome'),
    rehydrate,
    hydrated: (state, { epoch, from }) => ({
      state: { ...state, phase: 'catching-up' },
      effects: [{ do: 'start-stream' }, { do: 'send-stream', epoch, from }],
    }),
  },
  'catching-up': {
    ...connected,
    welcomed: outOfTurn('a second welcome'),
    rehydrate,
    'caught-up': (state) => stay({ ...state, phase: 'live', attempt: 0, loads: 0 }),
  },
  live: {
    ...connected,
    welcomed: outOfTurn('a second welcome'),
    rehydrate,
    'fell-behind': (state) => stay({ ...state, phase: 'catching-up' }),
  },
  'backing-off': {
    ...inert,
    'go-offline': toOffline,
    reconnect: (state) => authorize(state, state.attempt),
    wake: (state) => authorize(state, state.attempt),
    'retry-due': (state) => authorize(state, state.attempt),
  },
  refused: {
    ...inert,
    'go-offline': toOffline,
    'go-online': (state) => authorize(state, 0, { do: 'forget-token' }),
    reconnect: (state) => authorize(state, 0, { do: 'forget-token' }),
  },
}

/** The machine's one entry: pure, total, and never throwing. */
export function transition(state: ConnectionState, event: ConnectionEvent, surroundings: Surroundings): Step {
  // Each cell is checked against its state and event in the table; indexing both at once is what TypeScript cannot follow.
  const cell = TRANSITIONS[state.phase][event.type] as (
    state: ConnectionState,
    event: ConnectionEvent,
    surroundings: Surroundings,
  ) => Step
  return cell(state, event, surroundings)
}
