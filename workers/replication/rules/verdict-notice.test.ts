import { describe, expect, test } from 'vitest'
import type { HealthCheck } from '../../contracts.ts'
import { beginAttempt, endAttempt, NOTHING_TOLD, type NoticeState, noteVerdict } from './verdict-notice.ts'

type Verdict = HealthCheck['status']
const check = (name: string, status: Verdict): HealthCheck => ({
  name,
  status,
  value: null,
  threshold: null,
  unit: null,
  message: status === 'ok' ? '' : 'Do this.',
})
const seen = (state: NoticeState, status: Verdict, now: number) =>
  noteVerdict(state, { status, checks: [check('fine', 'ok'), check('slot', status)] }, now, `at-${now}`)
const sent = (state: NoticeState, now: number) => endAttempt(beginAttempt(state, now, 0), true, now)

describe('a notice of the verdict', () => {
  test('OPS-R6 comes once for each change, with the checks that are not fine, and once for the recovery', () => {
    expect(seen(NOTHING_TOLD, 'ok', 1)).toBe(NOTHING_TOLD)
    const failing = seen(NOTHING_TOLD, 'fail', 70_000)
    expect(JSON.parse(failing.pending?.body ?? '')).toEqual({
      id: 'at-70000',
      status: 'fail',
      before: 'ok',
      at: '1970-01-01T00:01:10.000Z',
      checks: [check('slot', 'fail')],
    })
    expect(seen(failing, 'fail', 71_000)).toBe(failing)
    const told = sent(failing, 72_000)
    expect(told).toEqual({ told: 'fail', toldAtMs: 72_000, pending: null })
    expect(seen(told, 'fail', 200_000)).toBe(told)
    const healed = sent(seen(told, 'ok', 200_000), 200_000)
    expect([healed.told, seen(healed, 'ok', 300_000)]).toEqual(['ok', healed])
  })

  test('OPS-R6 goes by the verdict of now until it is sent, a minute after the last at the soonest', () => {
    const told = sent(seen(NOTHING_TOLD, 'fail', 100_000), 100_000)
    const healing = seen(told, 'ok', 110_000)
    expect(healing.pending).toMatchObject({ status: 'ok', dueAtMs: 160_000 })
    expect(seen(healing, 'warn', 120_000).pending).toMatchObject({ status: 'warn', dueAtMs: 160_000 })
    expect(seen(healing, 'fail', 120_000)).toEqual(told)
    // What may have arrived is not taken back.
    const trying = beginAttempt(healing, 160_000, 0)
    expect(seen(trying, 'fail', 161_000)).toBe(trying)
  })

  test('OPS-R6 is tried again with a growing pause and jitter, and given up after eight attempts', () => {
    let state = seen(NOTHING_TOLD, 'warn', 100_000)
    const pauses: number[] = []
    for (let now = 100_000; state.pending !== null; now = state.pending?.dueAtMs ?? 0) {
      state = beginAttempt(state, now, 1)
      pauses.push((state.pending?.dueAtMs ?? 0) - now)
      state = endAttempt(state, false, now)
    }
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 320, 600].map((seconds) => seconds * 1_000))
    expect(state.told).toBe('warn')
    const again = seen(NOTHING_TOLD, 'warn', 100_000)
    expect(beginAttempt(again, 0, 0).pending?.dueAtMs).toBe(2_500)
  })
})
