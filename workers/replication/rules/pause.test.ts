import { describe, expect, test } from 'vitest'
import type { HealthFigures, ServerFigures } from './health-figures.ts'
import { endsPause, PAUSED_LOOK_MS, pausedCheck, pausedFor } from './pause.ts'

const MINUTE_MS = 60_000
const GIB = 1024 ** 3
const pause = { sinceMs: 0, untilMs: 60 * MINUTE_MS, by: 'Ada' }
const server = (figures: Partial<ServerFigures>) =>
  ({ retainedWalBytes: 0, safeWalBytes: null, ...figures }) as ServerFigures

test('OPS-R10 a pause is looked after every few minutes, and at its end', () => {
  expect(pausedFor(pause, 0)).toBe(PAUSED_LOOK_MS)
  expect(pausedFor(pause, 59 * MINUTE_MS)).toBe(MINUTE_MS)
  expect(pausedFor(pause, 61 * MINUTE_MS)).toBe(0)
  // Neon falls asleep after five minutes without a query.
  expect(PAUSED_LOOK_MS).toBeGreaterThan(5 * MINUTE_MS)
})

describe('a pause ends before its time', () => {
  test.each<[string, ServerFigures | null, RegExp | null]>([
    ['not while nothing is known', null, null],
    ['not while the slot holds back little', server({ retainedWalBytes: 4 * GIB }), null],
    ['once it holds back too much', server({ retainedWalBytes: 4 * GIB + 1 }), /held back/],
    ['not while enough is left', server({ safeWalBytes: GIB / 2 }), null],
    ['before the server drops the slot', server({ safeWalBytes: GIB / 2 - 1 }), /would have dropped the slot/],
  ])('OPS-R10 %s', (_, figures, reason) => {
    if (reason === null) expect(endsPause(figures)).toBeNull()
    else expect(endsPause(figures)).toMatch(reason)
  })
})

test('OPS-R10 health has a check of its own for a pause: who, until when, and red once the slot holds back much', () => {
  const judged = (figures: Partial<HealthFigures>) => pausedCheck({ pause, server: null, ...figures } as HealthFigures)
  expect(judged({ pause: null })).toMatchObject({ name: 'paused', status: 'ok', message: '' })
  expect(judged({})).toMatchObject({ status: 'warn', value: '1970-01-01T01:00:00.000Z' })
  expect(judged({}).message).toMatch(/paused by Ada.*resume it on \/ops/)
  expect(judged({ server: server({ retainedWalBytes: GIB + 1 }) }).status).toBe('fail')
})
