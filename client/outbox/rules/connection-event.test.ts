import { describe, expect, test } from 'vitest'
import { TidemarkError } from '../../../protocol/index.ts'
import type { ConnectionPhase, ConnectionState } from '../../connection/connection-state.ts'
import { connectionEvent } from './connection-event.ts'

const error = new TidemarkError('unavailable', 'It is away.')
const connected = { attempt: 0, heardAtMs: 0, pingedAtMs: null }
const STATES: Readonly<Record<ConnectionPhase, ConnectionState>> = {
  closed: { phase: 'closed' },
  offline: { phase: 'offline' },
  authorizing: { phase: 'authorizing', attempt: 0 },
  connecting: { phase: 'connecting', ...connected },
  greeting: { phase: 'greeting', ...connected },
  hydrating: { phase: 'hydrating', ...connected },
  'catching-up': { phase: 'catching-up', ...connected },
  live: { phase: 'live', ...connected },
  'backing-off': { phase: 'backing-off', attempt: 1, error },
  refused: { phase: 'refused', error },
}
const PHASES = Object.keys(STATES) as ConnectionPhase[]
const TRYING: ConnectionPhase[] = ['authorizing', 'connecting', 'greeting', 'hydrating', 'catching-up', 'backing-off']
const step = (before: ConnectionPhase, phase: ConnectionPhase, isNew = false) =>
  connectionEvent(before, STATES[phase], isNew)

describe('for sending it means', () => {
  test.each(PHASES)('OBX-R7 the same from `%s`, to be closed, offline or refused: the error comes along', (before) => {
    expect(step(before, 'closed')).toEqual({ type: 'close' })
    expect(step(before, 'offline')).toEqual({ type: 'offline' })
    expect(step(before, 'refused')).toEqual({ type: 'refused', error })
  })

  test.each(PHASES)('OUT-09 OBX-R6 that it may go on, to be live after `%s`, and whether that is new', (before) => {
    expect(step(before, 'live', true)).toEqual({ type: 'live', isNew: true })
    expect(step(before, 'live', false)).toEqual({ type: 'live', isNew: false })
  })

  test.each(TRYING)('OBX-R6 that it was lost, to be `%s` after having been live', (phase) => {
    expect(step('live', phase)).toEqual({ type: 'lost' })
  })

  test.each(TRYING)('OBX-R8 that it is tried again, to be `%s` after having been out', (phase) => {
    for (const before of ['offline', 'refused', 'closed'] as const)
      expect(step(before, phase)).toEqual({ type: 'online' })
  })

  test('OBX-R7 nothing, to go from one try to the next', () => {
    for (const before of TRYING) for (const phase of TRYING) expect(step(before, phase)).toBeNull()
  })
})
