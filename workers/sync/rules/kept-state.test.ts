import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asLsn, type Lsn, ZERO_LSN } from '../../../protocol/index.ts'
import { type KeptState, keptOf, mustKeep, restoredState, unkeptChars } from './kept-state.ts'
import { type Position, positionAt } from './position.ts'
import type { SessionState } from './session-state.ts'

const UNKEPT = unkeptChars(8_000)
const lsn = (number: number): Lsn => asLsn(number.toString(16).padStart(16, '0'))
const state = (more: Partial<SessionState> = {}): SessionState => ({
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
  openedAtMs: 0,
  streamSinceMs: 0,
  lastSentMs: 0,
  fullSinceMs: null,
  messages: { tokens: 1, atMs: 0 },
  rightsChanged: 0,
  rightsAsked: 0,
  ...more,
})
const partOf = (at: number): Position => ({
  lsn: lsn(at),
  part: { lsn: lsn(at + 1), xid: '7', at: '', index: 1, sent: 3 },
})

describe('the place of a session', () => {
  test('DIS-R25 is not kept anew while it follows the head', () => {
    const kept = keptOf(state({ position: positionAt(lsn(1)) }), lsn(1))
    const later = state({ position: positionAt(lsn(9)), sent: UNKEPT - 1, lastSentMs: 7 })
    expect(mustKeep(kept, later, lsn(9), UNKEPT)).toBe(false)
    expect(restoredState(kept, lsn(9)).position).toEqual(positionAt(lsn(9)))
    expect(mustKeep(kept, { ...later, sent: UNKEPT }, lsn(9), UNKEPT)).toBe(true)
  })

  test('DIS-R25 is kept where it stays behind, stands within a transaction, or has none', () => {
    const kept = keptOf(state({ position: positionAt(lsn(1)) }), lsn(1))
    for (const position of [positionAt(lsn(1)), partOf(1), null]) {
      const now = state({ position })
      expect(mustKeep(kept, now, lsn(2), UNKEPT)).toBe(true)
      expect(restoredState(keptOf(now, lsn(2)), lsn(3)).position).toEqual(position)
    }
  })

  test('DIS-R25 is the same after any turn, whatever moved in it, and no more is uncounted than may be', () => {
    const turn = fc.record({
      head: fc.nat(2),
      place: fc.constantFrom('stay', 'one', 'head', 'part', 'none'),
      chars: fc.nat(UNKEPT),
    })
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 40 }), (turns) => {
        let head = 1
        let now = state({ position: positionAt(lsn(head)) })
        let kept: KeptState = now
        for (const { head: by, place, chars } of turns) {
          head += by
          const at = now.position === null ? head : Number.parseInt(now.position.lsn, 16)
          if (place === 'one') now = { ...now, position: positionAt(lsn(Math.min(head, at + 1))) }
          if (place === 'head') now = { ...now, position: positionAt(lsn(head)) }
          if (place === 'part' && at < head) now = { ...now, position: partOf(at) }
          if (place === 'none') now = { ...now, position: null }
          now = { ...now, sent: now.sent + chars }
          if (mustKeep(kept, now, lsn(head), UNKEPT)) kept = keptOf(now, lsn(head))
          const back = restoredState(kept, lsn(head))
          expect(back.position).toEqual(now.position)
          expect(now.sent - back.sent).toBeLessThan(UNKEPT)
        }
      }),
    )
  })
})
