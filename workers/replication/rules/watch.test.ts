import { describe, expect, test } from 'vitest'
import { decideWatch, isPooled, type WatchFacts } from './watch.ts'

const facts: WatchFacts = { wanted: true, paused: false, subscribers: 1, quietMs: 0, failures: 0, obstacle: null }
const decide = (change: Partial<WatchFacts>, watchMs = 100) => decideWatch({ ...facts, ...change }, { watchMs })

describe('capture waits inside Postgres', () => {
  test('OPS-12 CAP-R29 while somebody subscribes and something happens', () => {
    expect(decide({ quietMs: 99 })).toEqual({ on: true, reason: 'on', degraded: false })
  })

  test.each<[string, Partial<WatchFacts>]>([
    ['where the app does not want it', { wanted: false }],
    ['where an operator paused capture', { paused: true }],
    ['where nobody subscribes', { subscribers: 0 }],
    ['in place of a backoff', { failures: 1 }],
    ['once it has been quiet for long', { quietMs: 100 }],
    ['where it cannot be had', { obstacle: 'the host is a pooler' }],
  ])('CAP-R29 never %s', (_, change) => {
    expect(decide(change).on).toBe(false)
  })

  test('CAP-R29 and where it does not, it says why', () => {
    const reasons = [{ wanted: false }, { subscribers: 0 }, { failures: 1 }, { quietMs: 100 }].map(
      (change) => decide(change).reason,
    )
    expect(new Set(reasons).size).toBe(4)
    expect(decide({ obstacle: 'the host is a pooler' }).reason).toBe('the host is a pooler')
  })

  test('CAP-R29 health is concerned only where it is wanted and cannot be had, whether or not it would be on now', () => {
    expect(decide({ obstacle: 'o', subscribers: 0, quietMs: 9e9 }).degraded).toBe(true)
    expect(decide({ obstacle: 'o', wanted: false }).degraded).toBe(false)
    expect(decide({ subscribers: 0 }).degraded).toBe(false)
    expect(decide({ failures: 9 }).degraded).toBe(false)
  })

  test('CAP-R29 at no time where its time is none', () => {
    expect(decide({ quietMs: 0 }, 0).on).toBe(false)
  })
})

test.each([
  ['postgres://u:p@ep-cool-pooler.eu.aws.neon.tech/db', true],
  ['postgresql://u:p@ep-cool-pooler.eu.aws.neon.tech:5432/db?sslmode=require', true],
  ['postgres://u:p@ep-cool.eu.aws.neon.tech/db', false],
  ['postgres://ep-pooler:p@ep-cool.eu.aws.neon.tech/db-pooler', false],
  ['postgres://u:p@pooler.example.org/db', false],
  ['postgres://u:p@ep-cool.x-pooler.example.org/db', false],
  ['postgres:///db', false],
  ['', false],
  ['no url', false],
])('CAP-R29 CLI-R13 the connection string %s is that of a pooler: %s', (url, pooled) => {
  expect(isPooled(url)).toBe(pooled)
})
