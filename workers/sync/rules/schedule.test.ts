import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DUTY_ORDER, type DutyFacts, earliest, isDue, nextAlarmMs, renewalDueMs } from './schedule.ts'

const none: DutyFacts = {
  nowMs: 1_000,
  emptySinceMs: null,
  subscribed: false,
  wanted: false,
  leaseUntilMs: 0,
  leaseMs: 60_000,
  behind: false,
  retryAtMs: null,
  noticeAtMs: null,
  statusesAtMs: null,
  expiryAtMs: null,
  deadlineAtMs: null,
  lingerMs: 300_000,
}
const alarm = (facts: Partial<DutyFacts>) => nextAlarmMs({ ...none, ...facts })
const due = (facts: Partial<DutyFacts>) => DUTY_ORDER.filter((duty) => isDue(duty, { ...none, ...facts }))
/** What is done at every waking of an object with sockets. */
const ALWAYS = ['forgetRates', 'forgetAudiences', 'greet', 'ascertainRights', 'serve', 'endBackoff']
/** Some time for each fact that is one, or none, around a now of 1,000. */
const someFacts = fc.record({
  nowMs: fc.constant(1_000),
  emptySinceMs: fc.option(fc.nat(2_000)),
  subscribed: fc.boolean(),
  wanted: fc.boolean(),
  leaseUntilMs: fc.nat(2_000),
  leaseMs: fc.nat(900),
  behind: fc.boolean(),
  retryAtMs: fc.option(fc.nat(2_000)),
  statusesAtMs: fc.constant(null),
  noticeAtMs: fc.option(fc.nat(2_000)),
  expiryAtMs: fc.option(fc.nat(2_000)),
  deadlineAtMs: fc.option(fc.nat(2_000)),
  lingerMs: fc.nat(500),
})

describe('the alarm', () => {
  test('DIS-20 DIS-R10 is none where there is no duty: the object may be evicted', () => {
    expect(alarm({})).toBeNull()
  })

  test.each<[string, Partial<DutyFacts>, number]>([
    ['a lease, with a third of it to spare', { subscribed: true, leaseUntilMs: 90_000 }, 70_000],
    ['a retry', { retryAtMs: 5_000 }, 5_000],
    ['a head notice', { noticeAtMs: 6_000 }, 6_000],
    ['the expiry of a token', { expiryAtMs: 7_000 }, 7_000],
    ['a silent socket', { deadlineAtMs: 8_000 }, 8_000],
  ])('DIS-28 DIS-R10 stands at %s, or at what comes first', (_, facts, at) => {
    expect(alarm(facts)).toBe(at)
    for (const sooner of ['deadlineAtMs', 'expiryAtMs'] as const)
      expect(alarm({ ...facts, [sooner]: at - 1 })).toBe(at - 1)
    // After a failure a notice waits for the retry.
    expect(alarm({ ...facts, noticeAtMs: at - 1 })).toBe(facts.retryAtMs === undefined ? at - 1 : at)
  })

  test('DIS-R10 puts off what asks others until the retry, and never what concerns a socket', () => {
    const failed = { retryAtMs: 50_000, subscribed: true, leaseUntilMs: 0, noticeAtMs: 2_000 }
    expect(alarm(failed)).toBe(50_000)
    expect(alarm({ ...failed, expiryAtMs: 3_000 })).toBe(3_000)
    expect(alarm({ ...failed, deadlineAtMs: 4_000 })).toBe(4_000)
  })

  test('DIS-20 DIS-R10 without sockets is for leaving alone, whatever else was due', () => {
    const due = { retryAtMs: 1, noticeAtMs: 1, expiryAtMs: 1, deadlineAtMs: 1 }
    expect(alarm({ ...due, emptySinceMs: 10_000, subscribed: true })).toBe(310_000)
    expect(alarm({ ...due, emptySinceMs: 10_000 })).toBeNull()
  })

  test('DIS-28 a renewal leaves time for failures before the lease ends', () => {
    expect(renewalDueMs(600_000, 600_000)).toBe(400_000)
    fc.assert(
      fc.property(fc.nat(10 ** 9), fc.integer({ min: 3, max: 10 ** 7 }), (until, lease) => {
        expect(renewalDueMs(until, lease)).toBeLessThan(until)
        expect(until - renewalDueMs(until, lease)).toBeLessThanOrEqual(lease / 3)
      }),
    )
  })
})

describe('the duties at a waking', () => {
  test('DIS-R10 are few where nothing has happened, and take up whatever an eviction interrupted', () => {
    expect(due({})).toEqual(ALWAYS)
  })

  test.each<[string, Partial<DutyFacts>, string, string]>([
    ['a token that has run out', { expiryAtMs: 1_000 }, 'closeOverdue', 'forgetRates'],
    ['a silent socket', { deadlineAtMs: 1_000 }, 'closeOverdue', 'forgetRates'],
    [
      'a subscription that is wanted',
      { subscribed: true, wanted: true, leaseUntilMs: 9e9 },
      'subscribe',
      'ascertainRights',
    ],
    ['a lease', { subscribed: true, leaseUntilMs: 21_000 }, 'renewLease', 'ascertainRights'],
    ['a gap', { behind: true }, 'catchUp', 'ascertainRights'],
    ['a head notice', { noticeAtMs: 1_000 }, 'tellHead', 'ascertainRights'],
  ])('DIS-R10 include %s, after what it may depend on', (_, facts, duty, after) => {
    const expected: string[] = [...ALWAYS]
    expected.splice(expected.indexOf(after) + 1, 0, duty)
    expect(due(facts)).toEqual(expected)
  })

  test('DIS-R10 come before their time for none: neither a lease, nor a notice, nor a socket', () => {
    const later = { subscribed: true, leaseUntilMs: 21_001, noticeAtMs: 1_001, expiryAtMs: 1_001, deadlineAtMs: 1_001 }
    expect(due(later)).toEqual(ALWAYS)
  })

  test('DIS-20 DIS-R10 without sockets are to forget rates, to store what clients said, and to leave once it has lingered', () => {
    const all = { wanted: true, behind: true, retryAtMs: 1, noticeAtMs: 1, expiryAtMs: 1, deadlineAtMs: 1 }
    const lingered = { ...all, emptySinceMs: 1_000, nowMs: 301_000 }
    expect(due({ ...lingered, subscribed: true })).toEqual(['forgetRates', 'leave'])
    expect(due({ ...lingered, subscribed: true, nowMs: 300_999 })).toEqual(['forgetRates'])
    expect(due(lingered)).toEqual(['forgetRates'])
    expect(due({ ...lingered, statusesAtMs: 301_000 })).toEqual(['forgetRates', 'storeStatuses'])
  })

  test('FLT-05 DIS-R10 are those of the retry too, whatever the object woke for', () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        expect(due(facts)).toEqual(due({ ...facts, retryAtMs: null }))
      }),
    )
  })

  test('DIS-R10 hold the next alarm: it stands where the first of them becomes due, and later only after a failure', () => {
    fc.assert(
      fc.property(someFacts, (facts) => {
        const { retryAtMs } = facts
        const undisturbed = nextAlarmMs({ ...facts, retryAtMs: null })
        if (undisturbed === null || undisturbed > facts.nowMs)
          expect(due(facts)).toEqual(due({ ...facts, nowMs: -1e9 }))
        else expect(due(facts)).not.toEqual(due({ ...facts, nowMs: -1e9 }))
        const next = nextAlarmMs(facts)
        if (retryAtMs !== null && facts.emptySinceMs === null) {
          expect(next).toBe(earliest([retryAtMs, facts.expiryAtMs, facts.deadlineAtMs]))
        } else expect(next).toBe(undisturbed)
      }),
    )
  })
})
