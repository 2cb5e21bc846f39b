import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ERROR_RULES, type ErrorKind, LIMITS, TidemarkError } from '../../protocol/index.ts'
import { DRAIN_TABLE, drainStep, INITIAL_DRAIN } from './drain-machine.ts'
import type { DrainEvent, DrainEventType, DrainPhase, DrainState, Step } from './drain-state.ts'

const error = (kind: ErrorKind = 'unavailable', retryAfterMs: number | null = null) =>
  new TidemarkError(kind, 'test', { retryAfterMs })
const sending = { phase: 'sending', attempt: 2, again: null, isLost: false, isShown: false } as const
const backing = { phase: 'backing-off', attempt: 2, error: error(), isAsked: false, isLost: false } as const

const STATES: { readonly [Phase in DrainPhase]: DrainState } = {
  closed: { phase: 'closed' },
  stopped: { phase: 'stopped', error: null, hasWork: true },
  pulling: { phase: 'pulling', hasWork: true, attempt: 2 },
  idle: { phase: 'idle' },
  held: { phase: 'held' },
  waiting: { phase: 'waiting', sinceMs: 1_000 },
  sending,
  'backing-off': backing,
}

const EVENTS: { readonly [Type in DrainEventType]: DrainEvent } = {
  online: { type: 'online' },
  live: { type: 'live', isNew: true },
  lost: { type: 'lost' },
  offline: { type: 'offline' },
  refused: { type: 'refused', error: error('upgrade-required') },
  close: { type: 'close' },
  written: { type: 'written', urgency: 'now' },
  quiet: { type: 'quiet' },
  'pull-overdue': { type: 'pull-overdue' },
  answered: { type: 'answered', hasMore: false },
  'held-back': { type: 'held-back' },
  shown: { type: 'shown' },
  'put-off': { type: 'put-off', hasProgress: true, error: error() },
  failed: { type: 'failed', error: error() },
  'retry-due': { type: 'retry-due' },
  wake: { type: 'wake' },
}

const COMMON = { offline: 'stopped', refused: 'stopped', close: 'closed' } as const

/** The phase to which each event leads; an event that is not named keeps the phase. */
const LEADS_TO: { readonly [Phase in DrainPhase]: Partial<Record<DrainEventType, DrainPhase>> } = {
  closed: {},
  stopped: { ...COMMON, online: 'pulling', live: 'sending' },
  pulling: { ...COMMON, live: 'sending', 'pull-overdue': 'sending' },
  idle: { ...COMMON, lost: 'pulling', written: 'sending' },
  held: { ...COMMON, live: 'sending', shown: 'pulling' },
  waiting: { ...COMMON, lost: 'pulling', written: 'sending', quiet: 'sending' },
  sending: { ...COMMON, answered: 'idle', 'held-back': 'held', 'put-off': 'backing-off', failed: 'backing-off' },
  'backing-off': { ...COMMON, live: 'sending', 'retry-due': 'sending', wake: 'sending' },
}

const now = { nowMs: 1_500, random: 0.5 }
const phases = Object.keys(DRAIN_TABLE) as DrainPhase[]
const types = Object.keys(EVENTS) as DrainEventType[]
const names = ({ effects }: Step) => effects.map((effect) => effect.do)

describe('drain machine', () => {
  test('OBX-R5 every state answers every event, and leads where the table says', () => {
    for (const phase of phases) {
      for (const type of types) {
        const { state } = drainStep(STATES[phase], EVENTS[type], now)
        expect([phase, type, state.phase]).toEqual([phase, type, LEADS_TO[phase][type] ?? phase])
      }
    }
  })

  test('OUT-09 OBX-R6 what there is to send waits until the replica has caught up, and no longer than a bound', () => {
    const online = drainStep({ phase: 'stopped', error: null, hasWork: true }, { type: 'online' }, now)
    expect(online).toEqual({
      state: { phase: 'pulling', hasWork: true, attempt: 0 },
      effects: [{ do: 'arm-pull', delayMs: 10_000 }],
    })
    expect(names(drainStep(online.state, { type: 'live', isNew: true }, now))).toEqual(['disarm-pull', 'push'])
    expect(names(drainStep(online.state, { type: 'pull-overdue' }, now))).toContain('push')
    const quiet = drainStep({ phase: 'stopped', error: null, hasWork: false }, { type: 'online' }, now)
    expect(quiet.effects).toEqual([])
    expect(names(drainStep(quiet.state, { type: 'written', urgency: 'soon' }, now))).toEqual(['arm-pull'])
    const lost = drainStep(sending, { type: 'lost' }, now)
    expect(drainStep(lost.state, { type: 'answered', hasMore: true }, now).state).toMatchObject({ phase: 'pulling' })
  })

  test('OUT-22 OBX-R6 SQL goes when the typing pauses, or after a second of it; actions at once', () => {
    let nowMs = 1_000
    let step = drainStep({ phase: 'idle' }, { type: 'written', urgency: 'soon' }, { nowMs, random: 0 })
    const delays = step.effects.flatMap((effect) => ('delayMs' in effect ? [effect.delayMs] : []))
    for (let key = 0; key < 20; key++) {
      nowMs += 50
      step = drainStep(step.state, { type: 'written', urgency: 'soon' }, { nowMs, random: 0 })
      for (const effect of step.effects) if (effect.do === 'arm-quiet') delays.push(effect.delayMs)
    }
    expect(Math.max(...delays)).toBe(250)
    expect(delays.slice(-3)).toEqual([100, 50, 0])
    expect(drainStep(step.state, { type: 'written', urgency: 'now' }, now).state.phase).toBe('sending')
    const meanwhile = drainStep(sending, { type: 'written', urgency: 'soon' }, now)
    expect(meanwhile.effects).toEqual([])
    expect(drainStep(meanwhile.state, { type: 'answered', hasMore: false }, now).state.phase).toBe('waiting')
    const urgent = drainStep(meanwhile.state, { type: 'written', urgency: 'now' }, now)
    expect(names(drainStep(urgent.state, { type: 'answered', hasMore: false }, now))).toEqual(['push'])
  })

  test('OUT-18 FLD-215 OBX-R8 what may pass is tried again under a jittered, bounded delay, never before the server asked', () => {
    for (const [kind, { retry }] of Object.entries(ERROR_RULES)) {
      const { state } = drainStep(sending, { type: 'failed', error: error(kind as ErrorKind) }, now)
      expect([kind, state.phase]).toEqual([kind, retry === 'never' ? 'stopped' : 'backing-off'])
    }
    const retry = fc.record({
      attempt: fc.nat(100),
      random: fc.double({ min: 0, max: 0.99, noNaN: true }),
      asked: fc.option(fc.nat(100_000)),
    })
    fc.assert(
      fc.property(retry, ({ attempt, random, asked }) => {
        const failed: DrainEvent = { type: 'failed', error: error('rate-limited', asked) }
        const step = drainStep({ ...sending, attempt }, failed, { nowMs: 0, random })
        const [effect] = step.effects
        const delayMs = effect?.do === 'arm-retry' ? effect.delayMs : -1
        expect(delayMs).toBeGreaterThanOrEqual(asked ?? 0)
        expect(delayMs).toBeLessThanOrEqual(LIMITS.reconnectMaxMs + (asked ?? 0))
        expect(step.state).toMatchObject({ phase: 'backing-off', attempt: attempt + 1, isAsked: asked !== null })
        const hurried = drainStep(step.state, { type: 'wake' }, now).state.phase
        expect(hurried).toBe(asked === null ? 'sending' : 'backing-off')
      }),
    )
    // Replicas that were asked for the same patience do not all come back at once.
    const busy: DrainEvent = { type: 'failed', error: error('rate-limited', 60_000) }
    const [first, last] = [0, 0.99].map((random) => drainStep(sending, busy, { nowMs: 0, random }).effects)
    expect(first).not.toEqual(last)
    expect(drainStep(backing, { type: 'live', isNew: false }, now).state.phase).toBe('backing-off')
    const some = { type: 'put-off', hasProgress: true, error: error() } as const
    expect(drainStep(sending, some, now).state).toMatchObject({ attempt: 1 })
    expect(drainStep(sending, { ...some, hasProgress: false }, now).state).toMatchObject({ attempt: 3 })
  })

  test('FLD-20 OBX-R5 what nothing can be made of waits until a copy is shown, also where that comes first', () => {
    const held = drainStep(sending, { type: 'held-back' }, now)
    expect(held).toEqual({ state: { phase: 'held' }, effects: [] })
    expect(names(drainStep(held.state, { type: 'shown' }, now))).toEqual(['arm-pull'])
    expect(names(drainStep(held.state, { type: 'live', isNew: true }, now))).toEqual(['push'])
    const shown = drainStep(sending, { type: 'shown' }, now).state
    expect(names(drainStep(shown, { type: 'held-back' }, now))).toEqual(['push'])
    const lost = drainStep(shown, { type: 'lost' }, now).state
    expect(names(drainStep(lost, { type: 'held-back' }, now))).toEqual(['arm-pull'])
    expect(drainStep(held.state, { type: 'offline' }, now).state).toMatchObject({ phase: 'stopped', hasWork: true })
  })

  test('OBX-R8 what the server refuses for good stops until a new connection is live, or the app says so', () => {
    const { state } = drainStep(sending, { type: 'failed', error: error('upgrade-required') }, now)
    expect(state).toMatchObject({ phase: 'stopped', error: { kind: 'upgrade-required' }, hasWork: true })
    for (const event of [EVENTS.lost, EVENTS.written, EVENTS.wake, { type: 'live', isNew: false }] as DrainEvent[])
      expect(drainStep(state, event, now).state.phase).toBe('stopped')
    expect(names(drainStep(state, { type: 'live', isNew: true }, now))).toEqual(['push'])
  })

  const event = fc.oneof(
    fc.constantFrom(...types).map((type) => EVENTS[type]),
    fc.constantFrom<DrainEvent>(
      { type: 'live', isNew: false },
      { type: 'written', urgency: 'soon' },
      { type: 'answered', hasMore: true },
      { type: 'failed', error: error('rate-limited', 5_000) },
    ),
  )

  test('OBX-R7 whatever happens, at most one push and timer of a kind is in hand, and work is never forgotten', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.nat(2_000)), { maxLength: 80 }), (happenings) => {
        let state: DrainState = INITIAL_DRAIN
        let nowMs = 0
        let written = false
        /** True where something was written while the push in hand was on its way. */
        let writtenSince = false
        const held = new Set<string>()
        const OWN: Partial<Record<DrainEventType, string>> = {
          quiet: 'quiet',
          'pull-overdue': 'pull',
          'retry-due': 'retry',
          answered: 'push',
          'held-back': 'push',
          'put-off': 'push',
          failed: 'push',
        }
        for (const [what, passedMs] of happenings) {
          const own = OWN[what.type]
          // The shell dispatches only events of what it has in hand.
          if (own !== undefined && !held.delete(own)) continue
          nowMs += passedMs
          const step: Step = drainStep(state, what, { nowMs, random: 0.5 })
          state = step.state
          for (const effect of step.effects) {
            const name = effect.do.replace(/^(arm|disarm|abort)-/, '')
            if (/^(disarm|abort)/.test(effect.do)) held.delete(name)
            else {
              expect([name, held.has(name)]).toEqual([name, false])
              held.add(name)
            }
          }
          if (what.type === 'written') written = writtenSince = true
          if (what.type === 'answered' && !what.hasMore) written = writtenSince
          if (step.effects.some((effect) => effect.do === 'push')) writtenSince = false
          if (state.phase === 'closed') {
            expect([...held]).toEqual([])
            return
          }
          if (state.phase === 'idle') expect(written).toBe(false)
          const holds = { sending: 'push', waiting: 'quiet', 'backing-off': 'retry' } as const
          const expected = state.phase === 'pulling' && state.hasWork ? 'pull' : holds[state.phase as 'sending']
          expect([...held]).toEqual(expected === undefined ? [] : [expected])
        }
      }),
    )
  })
})
