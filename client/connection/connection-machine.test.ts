import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ERROR_RULES, type ErrorKind, LIMITS, TidemarkError } from '../../protocol/index.ts'
import { at } from '../../testing/replica/scripted-server.ts'
import { backoffDelayMs } from './backoff.ts'
import { INITIAL_STATE, TRANSITIONS, transition } from './connection-machine.ts'
import type {
  ConnectionEffect,
  ConnectionEvent,
  ConnectionEventType,
  ConnectionPhase,
  ConnectionState,
} from './connection-state.ts'

const error = (kind: ErrorKind = 'unavailable') => new TidemarkError(kind, 'test')
const heard = { attempt: 1, heardAtMs: 1_000, pingedAtMs: null }

const STATES: { readonly [Phase in ConnectionPhase]: ConnectionState } = {
  closed: { phase: 'closed' },
  offline: { phase: 'offline' },
  authorizing: { phase: 'authorizing', attempt: 1 },
  connecting: { phase: 'connecting', ...heard },
  greeting: { phase: 'greeting', ...heard },
  hydrating: { phase: 'hydrating', ...heard },
  'catching-up': { phase: 'catching-up', ...heard },
  live: { phase: 'live', ...heard },
  'backing-off': { phase: 'backing-off', attempt: 1, error: error() },
  refused: { phase: 'refused', error: error('upgrade-required') },
}

const EVENTS: { readonly [Type in ConnectionEventType]: ConnectionEvent } = {
  'go-online': { type: 'go-online' },
  'go-offline': { type: 'go-offline' },
  close: { type: 'close' },
  reconnect: { type: 'reconnect' },
  wake: { type: 'wake' },
  'token-obtained': { type: 'token-obtained' },
  'token-failed': { type: 'token-failed', error: error() },
  'socket-opened': { type: 'socket-opened' },
  'socket-closed': { type: 'socket-closed', error: error() },
  heard: { type: 'heard' },
  welcomed: { type: 'welcomed', resume: 'hydrate' },
  hydrated: { type: 'hydrated', epoch: 'e', from: at(1) },
  rehydrate: { type: 'rehydrate' },
  failed: { type: 'failed', error: error() },
  'caught-up': { type: 'caught-up' },
  'fell-behind': { type: 'fell-behind' },
  'retry-due': { type: 'retry-due' },
  heartbeat: { type: 'heartbeat' },
  'renewal-due': { type: 'renewal-due' },
}

const LOST = { 'socket-closed': 'backing-off', failed: 'backing-off' } as const
const ANEW = { reconnect: 'authorizing' } as const
const COMMON = { 'go-offline': 'offline', close: 'closed' } as const

/** The phase to which each event leads; an event that is not named keeps the phase. */
const LEADS_TO: { readonly [Phase in ConnectionPhase]: Partial<Record<ConnectionEventType, ConnectionPhase>> } = {
  closed: {},
  offline: { 'go-online': 'authorizing', close: 'closed' },
  authorizing: { ...COMMON, 'token-obtained': 'connecting', 'token-failed': 'backing-off', failed: 'backing-off' },
  connecting: { ...COMMON, ...ANEW, ...LOST, 'socket-opened': 'greeting' },
  greeting: { ...COMMON, ...ANEW, ...LOST, welcomed: 'hydrating' },
  hydrating: { ...COMMON, ...ANEW, ...LOST, welcomed: 'backing-off', hydrated: 'catching-up' },
  'catching-up': { ...COMMON, ...ANEW, ...LOST, welcomed: 'backing-off', rehydrate: 'hydrating', 'caught-up': 'live' },
  live: { ...COMMON, ...ANEW, ...LOST, welcomed: 'backing-off', rehydrate: 'hydrating', 'fell-behind': 'catching-up' },
  'backing-off': { ...COMMON, ...ANEW, wake: 'authorizing', 'retry-due': 'authorizing' },
  refused: { ...COMMON, ...ANEW, 'go-online': 'authorizing' },
}

const now = { nowMs: 1_500, random: 0.5 }
const phases = Object.keys(TRANSITIONS) as ConnectionPhase[]
const types = Object.keys(EVENTS) as ConnectionEventType[]
const names = (effects: readonly ConnectionEffect[]) => effects.map((effect) => effect.do)

describe('connection machine', () => {
  test('CONN-R1 every state answers every event, and leads where the table says', () => {
    for (const phase of phases) {
      for (const type of types) {
        const { state } = transition(STATES[phase], EVENTS[type], now)
        expect([phase, type, state.phase]).toEqual([phase, type, LEADS_TO[phase][type] ?? phase])
      }
    }
  })

  test('CONN-R2 a refused token is renewed at once the first time, then with backoff', () => {
    for (const kind of ['unauthenticated', 'token-expired'] as const) {
      const first = transition({ ...heard, phase: 'live', attempt: 0 }, { type: 'failed', error: error(kind) }, now)
      expect(first.state).toEqual({ phase: 'authorizing', attempt: 1 })
      expect(names(first.effects)).toEqual([
        'stop-stream',
        'disarm-heartbeat',
        'close-socket',
        'forget-token',
        'request-token',
      ])
      const second = transition({ ...heard, phase: 'greeting' }, { type: 'failed', error: error(kind) }, now)
      expect(second.state).toMatchObject({ phase: 'backing-off', attempt: 2 })
      expect(names(second.effects)).toContain('forget-token')
    }
  })

  test('CONN-R3 an error that no retry mends is refused, from whatever state', () => {
    for (const [kind, { retry }] of Object.entries(ERROR_RULES)) {
      if (retry !== 'never') continue
      for (const phase of ['authorizing', 'connecting', 'greeting', 'hydrating', 'catching-up', 'live'] as const) {
        const { state } = transition(STATES[phase], { type: 'failed', error: error(kind as ErrorKind) }, now)
        expect(state.phase).toBe('refused')
      }
    }
  })

  test('CONN-R4 FLT-12 the backoff is jittered over its whole width, doubles and is bounded', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.double({ min: 0, max: 0.999999, noNaN: true }), (attempt, random) => {
        const delayMs = backoffDelayMs(attempt, random)
        expect(delayMs).toBeGreaterThanOrEqual(0)
        expect(delayMs).toBeLessThan(Math.min(LIMITS.reconnectMaxMs, LIMITS.reconnectBaseMs * 2 ** attempt))
      }),
    )
    expect(backoffDelayMs(0, 0.5)).toBe(250)
    expect(backoffDelayMs(3, 0.5)).toBe(2_000)
    expect(backoffDelayMs(60, 0.5)).toBe(15_000)
  })

  test('FLT-11 CONN-R5 a half-open socket is noticed by its silence', () => {
    let state: ConnectionState = { phase: 'live', attempt: 0, heardAtMs: 0, pingedAtMs: null }
    let nowMs = 0
    while (state.phase === 'live' && nowMs < 10 * LIMITS.silenceMs) {
      nowMs += LIMITS.pingIntervalMs
      const step = transition(state, { type: 'heartbeat' }, { nowMs, random: 0 })
      state = step.state
      if (state.phase === 'live') expect(names(step.effects)).toEqual(['send-ping', 'arm-heartbeat'])
    }
    expect(state.phase).toBe('backing-off')
    expect(nowMs).toBeLessThanOrEqual(LIMITS.silenceMs + LIMITS.pingIntervalMs)
  })

  test('FLT-11 a server that answers is kept, even when the timers of a hidden page come late', () => {
    let state: ConnectionState = { phase: 'live', attempt: 0, heardAtMs: 0, pingedAtMs: null }
    for (let minute = 1; minute < 60; minute++) {
      const nowMs = minute * 61_000
      state = transition(state, { type: 'heartbeat' }, { nowMs, random: 0 }).state
      expect(state.phase).toBe('live')
      state = transition(state, { type: 'heard' }, { nowMs: nowMs + 50, random: 0 }).state
    }
  })

  test('FLT-11 after three days of sleep the socket is given up at once; a clock that goes back harms nothing', () => {
    const live: ConnectionState = { phase: 'live', attempt: 0, heardAtMs: 1_000_000, pingedAtMs: null }
    const slept = { nowMs: 1_000_000 + 3 * 86_400_000, random: 0 }
    expect(transition(live, { type: 'heartbeat' }, slept).state.phase).toBe('backing-off')
    expect(transition(live, { type: 'wake' }, slept).state.phase).toBe('backing-off')
    const back = transition(live, { type: 'heartbeat' }, { nowMs: 5_000, random: 0 }).state
    expect(back).toMatchObject({ phase: 'live', heardAtMs: 5_000 })
    expect(transition(back, { type: 'heartbeat' }, { nowMs: 5_000 + 61_000, random: 0 }).state.phase).toBe(
      'backing-off',
    )
  })

  test('FLD-22 HYD-R5 a server that asks again and again to load anew is answered at once three times, then with backoff', () => {
    let state: ConnectionState = { ...heard, phase: 'live', attempt: 0 }
    const phases = [1, 2, 3, 4].map(() => {
      const step = transition(state, { type: 'rehydrate' }, now)
      const hydrated = { type: 'hydrated', epoch: 'e', from: at(1) } as const
      state = transition(step.state, hydrated, now).state
      return step.state.phase
    })
    expect(phases).toEqual(['hydrating', 'hydrating', 'hydrating', 'backing-off'])
    const again = transition({ ...heard, phase: 'catching-up', loads: 3 }, { type: 'caught-up' }, now).state
    expect(transition(again, { type: 'rehydrate' }, now).state.phase).toBe('hydrating')
  })

  const event = fc.constantFrom(...types).map((type) => EVENTS[type])

  test('CONN-R6 whatever happens, at most one socket, hydration, stream and timer of a kind is held, and none once left', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.nat(200_000)), { maxLength: 80 }), (happenings) => {
        let state: ConnectionState = INITIAL_STATE
        let nowMs = 0
        const held = new Set<string>()
        const take = (name: string) => {
          expect(held.has(name)).toBe(false)
          held.add(name)
        }
        for (const [what, passedMs] of happenings) {
          nowMs += passedMs
          if (what.type === 'retry-due') held.delete('retry')
          if (what.type === 'heartbeat') held.delete('heartbeat')
          if (what.type === 'hydrated') held.delete('hydration')
          if (what.type === 'socket-closed') held.delete('socket')
          const step: { state: ConnectionState; effects: readonly ConnectionEffect[] } = transition(state, what, {
            nowMs,
            random: 0.5,
          })
          state = step.state
          for (const effect of step.effects) {
            if (effect.do === 'open-socket') take('socket')
            if (effect.do === 'close-socket') held.delete('socket')
            if (effect.do === 'start-hydration') take('hydration')
            if (effect.do === 'stop-hydration') held.delete('hydration')
            if (effect.do === 'start-stream') take('stream')
            if (effect.do === 'stop-stream') held.delete('stream')
            if (effect.do === 'arm-retry') take('retry')
            if (effect.do === 'disarm-retry') held.delete('retry')
            if (effect.do === 'arm-heartbeat') held.add('heartbeat')
            if (effect.do === 'disarm-heartbeat') held.delete('heartbeat')
          }
          const connected = 'heardAtMs' in state
          if (!connected) expect([...held].filter((name) => name !== 'retry')).toEqual([])
          expect(held.has('retry')).toBe(state.phase === 'backing-off' && what.type !== 'retry-due')
          expect(held.has('stream')).toBe(state.phase === 'catching-up' || state.phase === 'live')
        }
      }),
    )
  })
})
