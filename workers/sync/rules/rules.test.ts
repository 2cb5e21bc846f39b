import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Lsn } from '../../../protocol/index.ts'
import { joinPosition, judgeDelivery, nextVersion, trimPoint } from './delivery.ts'
import { coveredFrom, FrameCache } from './frame-cache.ts'
import { positionAt } from './position.ts'
import { admits, type SessionPhase } from './session-state.ts'
import { fullBucket, takeToken } from './token-bucket.ts'
import { acknowledge, mayNotice, mayServe } from './window.ts'

const lsn = (step: number) => (0xffffff0n + BigInt(step)).toString(16).padStart(16, '0') as Lsn

describe('deliveries', () => {
  const log = { epoch: 'e', head: lsn(5), version: 3, joinedAt: (version: number) => (version < 3 ? lsn(6) : null) }
  const offer = (from: number, to: number, rest: object = {}) =>
    judgeDelivery(log, { epoch: 'e', version: 3, from: lsn(from), to: lsn(to), whole: true, ...rest })

  it('DIS-R2 DIS-02 are taken, ignored or made up for by where they stand', () => {
    expect(offer(5, 7)).toBe('append')
    expect(offer(2, 7)).toBe('append')
    expect(offer(2, 5)).toBe('known')
    expect(offer(6, 7)).toBe('gap')
    expect(offer(5, 7, { whole: false })).toBe('gap')
    expect(offer(5, 7, { epoch: 'f' })).toBe('other-epoch')
    expect(
      judgeDelivery({ ...log, epoch: null }, { epoch: 'e', version: 1, from: lsn(0), to: lsn(1), whole: true }),
    ).toBe('unknown')
  })

  it('DIS-R3 DIS-25 of an older subscription hold for what had joined then', () => {
    expect(offer(5, 6, { version: 2 })).toBe('append')
    expect(offer(5, 7, { version: 2 })).toBe('gap')
    expect(joinPosition(lsn(3), lsn(5), null)).toBe(lsn(5))
    expect(joinPosition(lsn(3), null, null)).toBe(lsn(3))
    expect(joinPosition(lsn(3), lsn(5), lsn(9))).toBe(lsn(9))
  })

  it('FLT-04 versions count up even when the memory of them is lost', () => {
    expect(nextVersion(0, 1_000)).toBe(1_000)
    expect(nextVersion(5_000, 1_000)).toBe(5_001)
  })

  it('DIS-R2 the log drops its oldest transactions until it is within its limit', () => {
    const log = [1, 2, 3].map((step) => ({ lsn: lsn(step), chars: 10 }))
    expect(trimPoint(log, 30, 30)).toBeNull()
    expect(trimPoint(log, 30, 25)).toEqual({ to: lsn(1), chars: 10 })
    expect(trimPoint(log, 30, 5)).toEqual({ to: lsn(3), chars: 30 })
  })
})

describe('a broadcast', () => {
  it('DIS-24 DIS-R7 makes frames per distinct set of audiences ahead, not per socket', () => {
    const made: string[][] = []
    const cache = new FrameCache({
      audiencesAfter: () => ['org:1', 'org:2'],
      nextFrames: (_position, audiences) => {
        made.push([...audiences])
        return []
      },
    })
    for (let socket = 0; socket < 500; socket += 1) {
      const orgs = [['org:1'], ['org:2', 'org:1'], ['org:9']][socket % 3] ?? []
      cache.nextFrames(positionAt(lsn(0)), new Set([...orgs, `user:${socket}`]), null)
    }
    expect(made).toEqual([['org:1'], ['org:1', 'org:2'], []])
  })

  it('DIS-24 DIS-R7 DIS-R17 makes frames of an author’s own where something of his is ahead, and else none', () => {
    const made: (string | null)[] = []
    const cache = new FrameCache({
      audiencesAfter: () => ['client:a', 'org:1'],
      nextFrames: (_position, _audiences, author) => {
        made.push(author && `${author.audience} ${author.rowsTo}`)
        return []
      },
    })
    for (const [client, rowsTo] of [
      ['a', null],
      ['b', null],
      ['c', lsn(1)],
      ['a', null],
      ['a', lsn(1)],
    ] as const) {
      const author = { audience: `client:${client}`, after: lsn(0), rowsTo }
      cache.nextFrames(positionAt(lsn(0)), new Set(['org:1']), author)
    }
    expect(made).toEqual(['client:a null', null, `client:a ${lsn(1)}`])
  })

  it('DIS-05 is answered from the log only where it reaches back for every audience', () => {
    const known = new Map<string, Lsn | null>([
      ['a', lsn(1)],
      ['b', lsn(4)],
      ['c', null],
    ])
    const starts = (audience: string) => known.get(audience) ?? null
    expect(coveredFrom(['a'], starts, lsn(0), null)).toBe(lsn(1))
    expect(coveredFrom(['a', 'b'], starts, lsn(2), null)).toBe(lsn(4))
    expect(coveredFrom(['a'], starts, lsn(7), null)).toBe(lsn(7))
    expect(coveredFrom(['a', 'c'], starts, lsn(0), null)).toBeNull()
    expect(coveredFrom(['a', 'never'], starts, lsn(0), null)).toBeNull()
  })

  it('DIS-R17 of an author reaches back for his mutations, but for those that he had settled', () => {
    const known = new Map<string, Lsn | null>([
      ['a', lsn(1)],
      ['client:x', lsn(4)],
      ['client:y', null],
    ])
    const starts = (audience: string) => known.get(audience) ?? null
    const covered = (client: string, after: Lsn) =>
      coveredFrom(['a'], starts, lsn(0), { audience: `client:${client}`, after, rowsTo: null })
    expect(covered('x', lsn(0))).toBe(lsn(4))
    expect(covered('x', lsn(4))).toBe(lsn(1))
    expect(covered('x', lsn(3))).toBe(lsn(4))
    expect(covered('y', lsn(4))).toBeNull()
  })
})

describe('windows and notices', () => {
  it('DIS-R6 DIS-09 count what is sent and not acknowledged', () => {
    expect(mayServe({ sent: 100, acked: 1 }, 100)).toBe(true)
    expect(mayServe({ sent: 100, acked: 0 }, 100)).toBe(false)
    expect(acknowledge({ sent: 100, acked: 50 }, 80)).toEqual({ sent: 100, acked: 80 })
    expect(acknowledge({ sent: 100, acked: 50 }, 10)).toEqual({ sent: 100, acked: 50 })
    expect(acknowledge({ sent: 100, acked: 50 }, 101)).toBeNull()
  })

  it('DIS-16 DIS-R14 tell an idle client the head at once at first, then now and then', () => {
    const intervals = { headNoticeMs: 10, eagerMs: 100 }
    expect(mayNotice({ lastSentMs: 99, streamSinceMs: 0 }, intervals, 99)).toBe(true)
    expect(mayNotice({ lastSentMs: 199, streamSinceMs: 0 }, intervals, 200)).toBe(false)
    expect(mayNotice({ lastSentMs: 190, streamSinceMs: 0 }, intervals, 200)).toBe(true)
  })
})

describe('rates', () => {
  it('SEC-12 DIS-R13 never exceed burst plus refill, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: 100 }), { maxLength: 200 }), (steps) => {
        const rate = { burst: 5, refillMs: 20 }
        let nowMs = 1_000
        let latestMs = nowMs
        let bucket = fullBucket(rate, nowMs)
        let taken = 0
        for (const step of steps) {
          nowMs += step
          latestMs = Math.max(latestMs, nowMs)
          const next = takeToken(bucket, rate, nowMs)
          if (next) {
            bucket = next
            taken += 1
          }
        }
        expect(taken).toBeLessThanOrEqual(5 + (latestMs - 1_000) / 20)
      }),
    )
  })
})

describe('a session', () => {
  it('SEC-11 DIS-R13 takes only the frames its phase has a meaning for', () => {
    const table: Record<SessionPhase, boolean[]> = {
      opened: [true, false, false, true],
      greeting: [false, false, true, true],
      hydrating: [false, true, true, true],
      streaming: [false, true, true, true],
      closed: [false, false, false, false],
    }
    for (const [phase, expected] of Object.entries(table)) {
      const events = ['hello', 'stream', 'ack', 'token'] as const
      expect(events.map((event) => admits(phase as SessionPhase, event))).toEqual(expected)
    }
  })
})
