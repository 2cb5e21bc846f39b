import { describe, expect, test } from 'vitest'
import { ZERO_LSN } from '../../../protocol/index.ts'
import { admits, type SessionEvent, type SessionPhase, type SessionState, sessionDeadlineMs } from './session-state.ts'

const EVENTS: readonly SessionEvent[] = ['hello', 'stream', 'ack', 'token', 'refused']

test.each<[SessionPhase, SessionEvent[]]>([
  ['opened', ['hello', 'token']],
  ['greeting', ['ack', 'token']],
  ['hydrating', ['stream', 'ack', 'token', 'refused']],
  ['streaming', ['stream', 'ack', 'token', 'refused']],
  ['closed', []],
])('SEC-11 DIS-R13 in `%s` these frames have a meaning, and no other: %j', (phase, admitted) => {
  expect(EVENTS.filter((event) => admits(phase, event))).toEqual(admitted)
})

test('DIS-R13 a second hello has a meaning nowhere', () => {
  const phases: SessionPhase[] = ['greeting', 'hydrating', 'streaming', 'closed']
  expect(phases.filter((phase) => admits(phase, 'hello'))).toEqual([])
})

describe('a deadline', () => {
  const state: SessionState = {
    id: 's',
    userId: 'u',
    phase: 'streaming',
    client: null,
    settledTo: ZERO_LSN,
    rowsTo: null,
    position: null,
    sent: 0,
    acked: 0,
    expiresAtMs: null,
    openedAtMs: 1_000,
    streamSinceMs: 0,
    lastSentMs: 0,
    fullSinceMs: null,
    messages: { tokens: 1, atMs: 0 },
    rightsChanged: 0,
    rightsAsked: 0,
  }
  const deadline = (more: Partial<SessionState>) =>
    sessionDeadlineMs({ ...state, ...more }, { helloMs: 30_000, stallMs: 600_000 })

  test('DIS-R13 is for a hello while the socket has said none', () => {
    expect(deadline({ phase: 'opened' })).toBe(31_000)
    expect(deadline({ phase: 'opened', fullSinceMs: 500 })).toBe(31_000)
  })

  test('DIS-10 DIS-R6 is for an acknowledgement from when the window was full', () => {
    for (const phase of ['greeting', 'hydrating', 'streaming'] as const)
      expect(deadline({ phase, fullSinceMs: 5_000 })).toBe(605_000)
  })

  test('DIS-R10 is none for whoever owes nothing, however long it has been there', () => {
    for (const phase of ['greeting', 'hydrating', 'streaming'] as const) expect(deadline({ phase })).toBeNull()
  })
})
