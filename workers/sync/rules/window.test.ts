import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { acknowledge, mayNotice, mayServe, type Window } from './window.ts'

describe('a window', () => {
  test('DIS-R6 is open until as much as it holds is on its way, and no further', () => {
    expect(mayServe({ sent: 99, acked: 0 }, 100)).toBe(true)
    expect(mayServe({ sent: 100, acked: 0 }, 100)).toBe(false)
    expect(mayServe({ sent: 1_100, acked: 1_001 }, 100)).toBe(true)
    expect(mayServe({ sent: 0, acked: 0 }, 0)).toBe(false)
  })

  test('DIS-R6 DIS-09 opens again with acknowledgements alone; late ones and twice the same change nothing', () => {
    const full: Window = { sent: 100, acked: 0 }
    const opened = acknowledge(full, 60)
    expect(opened).toEqual({ sent: 100, acked: 60 })
    if (opened === null) throw new Error('It was refused.')
    expect(acknowledge(opened, 60)).toEqual(opened)
    expect(acknowledge(opened, 10)).toEqual(opened)
  })

  test('DIS-R13 refuses an acknowledgement of what was never sent', () => {
    expect(acknowledge({ sent: 100, acked: 0 }, 100)).toEqual({ sent: 100, acked: 100 })
    expect(acknowledge({ sent: 100, acked: 100 }, 101)).toBeNull()
    expect(acknowledge({ sent: 0, acked: 0 }, 1)).toBeNull()
  })

  test('DIS-R25 counts what was sent and not kept once the client tells of it, and no more', () => {
    expect(acknowledge({ sent: 100, acked: 90 }, 130, 30)).toEqual({ sent: 130, acked: 130 })
    expect(acknowledge({ sent: 100, acked: 90 }, 95, 30)).toEqual({ sent: 100, acked: 95 })
    expect(acknowledge({ sent: 100, acked: 90 }, 131, 30)).toBeNull()
  })

  test('DIS-R6 holds no more than its size and one frame, whatever a client acknowledges', () => {
    const step = fc.record({ frame: fc.integer({ min: 1, max: 50 }), received: fc.nat(5_000) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let window: Window = { sent: 0, acked: 0 }
        for (const { frame, received } of steps) {
          if (mayServe(window, 100)) window = { ...window, sent: window.sent + frame }
          expect(window.sent - window.acked).toBeLessThan(150)
          window = acknowledge(window, received) ?? window
          expect(window.acked).toBeLessThanOrEqual(window.sent)
        }
      }),
    )
  })
})

describe('the head', () => {
  const intervals = { headNoticeMs: 10_000, eagerMs: 60_000 }

  test('DIS-R14 is told at once while a stream is young, whatever was sent just before', () => {
    expect(mayNotice({ lastSentMs: 59_999, streamSinceMs: 0 }, intervals, 59_999)).toBe(true)
    expect(mayNotice({ lastSentMs: 60_000, streamSinceMs: 0 }, intervals, 60_000)).toBe(false)
  })

  test('DIS-R14 DIS-16 is told later once in an interval, counted from whatever was sent last', () => {
    const times = { lastSentMs: 100_000, streamSinceMs: 0 }
    expect(mayNotice(times, intervals, 109_999)).toBe(false)
    expect(mayNotice(times, intervals, 110_000)).toBe(true)
  })
})
