import { describe, expect, test } from 'vitest'
import { asLsn } from '../../../protocol/index.ts'
import type { MinuteFigures } from '../../contracts.ts'
import { classifyHealth } from './classify-health.ts'
import type { HealthFigures, ServerFigures } from './health-figures.ts'

const NOW = 10_000_000
const server: ServerFigures = {
  retainedWalBytes: 0,
  safeWalBytes: null,
  oldestWrite: null,
  restartLsn: null,
  definitionHash: 'h',
  clockAheadMs: 0,
  stuck: { count: 0, oldestMs: 0, sqlStates: [] },
  consumers: [],
}
const write = (ms: number) => ({ pid: 4711, ms, statement: 'UPDATE item SET title = ?' })
const minute = (figures: Partial<MinuteFigures>): MinuteFigures => ({
  atMs: NOW - 60_000,
  transactions: 0,
  rows: 0,
  storedMs: null,
  deliveredMs: null,
  faults: 0,
  retainedWalBytes: null,
  ...figures,
})
const counts: HealthFigures['counts'] = {
  sinceMs: 0,
  transactions: 0,
  rows: 0,
  mutations: {},
  faults: { unavailable: 2 },
  builds: { done: 0, failed: 0, totalMs: 0, lastFault: null },
}
const group = { version: 7, migration: null, count: 3, waiting: 0, failing: 0 }
const fine: HealthFigures = {
  epoch: 'e',
  head: asLsn('0000000000000001'),
  decoder: 'pgoutput',
  decoderReason: 'asked for',
  lastCycleAtMs: NOW - 1_000,
  nextCycleAtMs: NOW + 1_000,
  lastError: null,
  slotPresent: true,
  server,
  bundleHash: 'h',
  leftOut: [],
  strays: [],
  epochStarted: null,
  subscribers: 5,
  subscribersBehind: 0,
  longestBehind: null,
  unsent: { lateClients: 0, oldestMs: null, failedClients: 0 },
  watch: { on: true, reason: 'on', degraded: false },
  pause: null,
  busySinceMs: null,
  clients: [group],
  counts,
  minutes: [],
  others: [],
}
const judged = (change: Partial<HealthFigures>) => classifyHealth({ ...fine, ...change }, NOW)
const checkOf = (name: string, change: Partial<HealthFigures>) =>
  judged(change).checks.find((candidate) => candidate.name === name)
const GIB = 1024 ** 3

describe('a check', () => {
  test.each([
    [GIB - 1, 'ok'],
    [GIB, 'warn'],
    [8 * GIB - 1, 'warn'],
    [8 * GIB, 'fail'],
  ])('OPS-01 of %s bytes of log held back says %s', (retainedWalBytes, status) => {
    expect(checkOf('retained-wal', { server: { ...server, retainedWalBytes } })).toMatchObject({
      status,
      value: retainedWalBytes,
      unit: 'bytes',
    })
  })

  test('CAP-25 CAP-R15 of a write that stays open warns after ten minutes, and never fails', () => {
    const open = (ms: number) =>
      checkOf('open-write-transaction', { server: { ...server, oldestWrite: write(ms) } })?.status
    expect(open(600_000)).toBe('ok')
    expect(open(600_001)).toBe('warn')
    expect(open(9e12)).toBe('warn')
  })

  test('OPS-R3 of what holds the log back names the transaction, and how to end it', () => {
    const message = (ms: number, pid: number | null) =>
      checkOf('open-write-transaction', { server: { ...server, oldestWrite: { ...write(ms), pid } } })?.message
    expect(message(700_000, 4711)).toMatch(
      /Process 4711 .*700 s.*UPDATE item SET title = \?.*pg_terminate_backend\(4711\)/,
    )
    expect(message(700_000, null)).toContain('pg_prepared_xacts')
    const retained = { ...server, retainedWalBytes: GIB, oldestWrite: write(1_000) }
    expect(checkOf('retained-wal', { server: retained })?.message).toContain('pg_terminate_backend(4711)')
  })

  test('OPS-R4 of pushes and clients says which kinds and how many', () => {
    expect(checkOf('pushes-stuck', { server: { ...server, stuck } })).toMatchObject({
      value: 1,
      message: expect.stringContaining('57014'),
    })
    expect(checkOf('push-faults', { minutes: [minute({ faults: 3 })] })).toMatchObject({
      value: 3,
      message: expect.stringContaining('unavailable 2'),
    })
  })

  test('CAP-R26 of the next cycle fails a minute after it was due, not before', () => {
    expect(checkOf('cycle', { nextCycleAtMs: NOW - 60_000 })?.status).toBe('ok')
    expect(checkOf('cycle', { nextCycleAtMs: NOW - 60_001 })?.status).toBe('fail')
    expect(checkOf('cycle', { lastCycleAtMs: null, nextCycleAtMs: NOW - 60_000 })?.status).toBe('warn')
    expect(checkOf('cycle', { lastCycleAtMs: null, nextCycleAtMs: NOW - 60_001 })?.status).toBe('fail')
  })

  test('AUD-R5 of kept audiences names the tables in which rows were found astray', () => {
    expect(checkOf('kept-audiences', {})).toMatchObject({ status: 'ok', message: '' })
    expect(checkOf('kept-audiences', { strays: ['public.comment'] })).toMatchObject({
      status: 'fail',
      value: 'public.comment',
      message: expect.stringContaining('tidemark doctor'),
    })
  })

  test('OPS-01 of subscribers warns only where none of several acknowledges anything', () => {
    const behind = (subscribers: number, subscribersBehind: number) =>
      checkOf('subscribers-behind', { subscribers, subscribersBehind })?.status
    expect(behind(4, 4)).toBe('warn')
    expect(behind(4, 3)).toBe('ok')
    expect(behind(3, 3)).toBe('ok')
    expect(behind(0, 0)).toBe('ok')
  })

  test('CAP-R12 of the epoch is news for a day, with its reason; a first epoch is none', () => {
    const started = (reason: string, ageMs: number) => checkOf('epoch', { epochStarted: { reason, atMs: NOW - ageMs } })
    expect(started('slot-lost: wal_removed', 0)).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('slot-lost: wal_removed'),
    })
    expect(started('slot-missing', 24 * 3_600_000)?.status).toBe('ok')
    expect(started('first', 0)?.status).toBe('ok')
  })

  test('CAP-R41 of what a halt left out names the tables until they are mended', () => {
    expect(checkOf('left-out', { leftOut: ['public.a', 'public.b'] })).toMatchObject({
      status: 'fail',
      value: 'public.a, public.b',
    })
  })

  test('CAP-27 CAP-R16 of a failing cycle says what it failed with and how often', () => {
    const lastError = { kind: 'unavailable' as const, message: 'Postgres is away.', count: 7 }
    expect(checkOf('error', { lastError })).toMatchObject({
      status: 'fail',
      value: 'unavailable',
      message: expect.stringMatching(/Postgres is away\..*7/),
    })
  })

  test('CAP-R29 of a watch that cannot be had says why', () => {
    const watch = { on: false, reason: 'the host is a pooler', degraded: true }
    expect(checkOf('watch', { watch })).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('the host is a pooler'),
    })
  })
})

const grown = Array.from({ length: 10 }, (_, index) => minute({ retainedWalBytes: index * 32 * 1024 ** 2 }))
const stuck = { count: 1, oldestMs: 60_001, sqlStates: ['57014'] }
const failedBuild = { done: 1, failed: 1, totalMs: 9, lastFault: 'limit-exceeded' }

describe('the whole', () => {
  test.each<[string, Partial<HealthFigures>, string, 'ok' | 'warn' | 'fail']>([
    ['nothing', {}, 'cycle', 'ok'],
    ['a cycle long overdue', { nextCycleAtMs: NOW - 100_000 }, 'cycle', 'fail'],
    ['no alarm', { nextCycleAtMs: null }, 'cycle', 'fail'],
    ['no alarm and no cycle since an eviction', { lastCycleAtMs: null, nextCycleAtMs: null }, 'cycle', 'fail'],
    ['a first cycle overdue', { lastCycleAtMs: null, nextCycleAtMs: NOW - 100_000 }, 'cycle', 'fail'],
    ['a first cycle under way', { lastCycleAtMs: null }, 'cycle', 'warn'],
    ['a failing cycle', { lastError: { kind: 'internal', message: 'm', count: 3 } }, 'error', 'fail'],
    ['a lost slot', { slotPresent: false }, 'slot', 'fail'],
    ['much retained log', { server: { ...server, retainedWalBytes: 2e9 } }, 'retained-wal', 'warn'],
    ['an old open write', { server: { ...server, oldestWrite: write(3_600_000) } }, 'open-write-transaction', 'warn'],
    ['no watch mode', { watch: { on: false, reason: 'x', degraded: true } }, 'watch', 'warn'],
    ['a watch that rests', { watch: { on: false, reason: 'x', degraded: false } }, 'watch', 'ok'],
    ['another definition', { bundleHash: 'x' }, 'definition', 'warn'],
    ['tables left out', { leftOut: ['public.item'] }, 'left-out', 'fail'],
    ['a log that grows and grows', { minutes: grown }, 'wal-growth', 'warn'],
    ['a slot soon lost', { server: { ...server, safeWalBytes: GIB - 1 } }, 'safe-wal', 'warn'],
    ['a slot about to be lost', { server: { ...server, safeWalBytes: GIB / 4 - 1 } }, 'safe-wal', 'fail'],
    ['capture that is busy for long', { busySinceMs: NOW - 60_001 }, 'stalled', 'warn'],
    ['capture that is busy for very long', { busySinceMs: NOW - 600_001 }, 'stalled', 'fail'],
    ['changes stored late', { minutes: [minute({ storedMs: 10_001 })] }, 'stored-lag', 'warn'],
    ['changes stored late long ago', { minutes: [minute({ atMs: 0, storedMs: 10_001 })] }, 'stored-lag', 'ok'],
    ['changes delivered late', { minutes: [minute({ deliveredMs: 10_001 })] }, 'delivered-lag', 'warn'],
    ['a SyncDO that is away', { longestBehind: { subscriber: 's', ms: 60_001 } }, 'longest-behind', 'warn'],
    ['mutations that fail again and again', { server: { ...server, stuck } }, 'pushes-stuck', 'warn'],
    ['pushes that fail', { minutes: [minute({ faults: 1 })] }, 'push-faults', 'warn'],
    ['replicas that cannot follow', { clients: [group, { ...group, failing: 1 }] }, 'clients-failing', 'warn'],
    [
      'work that waits for long',
      { unsent: { lateClients: 1, oldestMs: 3_600_001, failedClients: 1 } },
      'unsent-work',
      'warn',
    ],
    ['work that waits', { unsent: { lateClients: 1, oldestMs: 3_600_000, failedClients: 1 } }, 'unsent-work', 'ok'],
    ['a snapshot that cannot be built', { counts: { ...counts, builds: failedBuild } }, 'snapshot-builds', 'warn'],
    ['a new epoch', { epochStarted: { reason: 'slot-missing', atMs: NOW } }, 'epoch', 'warn'],
  ])('OPS-01 CAP-25 CAP-R15 shows %s', (_, change, name, status) => {
    const health = judged(change)
    const check = health.checks.find((candidate) => candidate.name === name)
    expect(check?.status).toBe(status)
    expect(check?.message === '').toBe(status === 'ok')
    // Nothing else is the matter.
    expect(health.status).toBe(status)
  })

  test('CSM-R7 names the consumers that lost changes, else those that leave them unhandled for an hour', () => {
    const consumers = (...all: ServerFigures['consumers']) =>
      checkOf('consumers', { server: { ...server, consumers: all } })
    const one = (lagMs: number, isLost = false) => ({ name: `of ${lagMs}`, isLost, lagMs })
    expect(consumers()).toMatchObject({ status: 'ok', value: null })
    expect(consumers(one(3_600_000))).toMatchObject({ status: 'ok', value: 3_600_000, unit: 'ms' })
    const late = consumers(one(3_600_001), one(5))
    expect(late).toMatchObject({ status: 'warn', message: expect.stringContaining('of 3600001 leaves') })
    const lost = consumers(one(3_600_001), one(5, true))
    expect(lost).toMatchObject({ status: 'fail', message: expect.stringContaining('that of 5 had not handled') })
  })

  test('OPS-01 is as bad as its worst check', () => {
    expect(judged({}).status).toBe('ok')
    const warned = { server: { ...server, oldestWrite: write(9e9) } }
    expect(judged(warned).status).toBe('warn')
    expect(judged({ ...warned, slotPresent: false }).status).toBe('fail')
  })

  test('OPS-01 has a remedy or a cause in every check that is not fine, and no words in one that is', () => {
    const ill = judged({
      nextCycleAtMs: null,
      lastError: { kind: 'internal', message: 'm', count: 1 },
      slotPresent: false,
      server: {
        ...server,
        retainedWalBytes: 9 * GIB,
        safeWalBytes: 1,
        oldestWrite: { pid: null, ms: 9e9, statement: null },
        definitionHash: 'other',
        stuck: { count: 1, oldestMs: 9e9, sqlStates: ['57014'] },
        consumers: [{ name: 'search', isLost: false, lagMs: 9e9 }],
      },
      busySinceMs: 0,
      longestBehind: { subscriber: 'org:1', ms: 9e9 },
      unsent: { lateClients: 1, oldestMs: 9e9, failedClients: 0 },
      clients: [{ ...group, failing: 1 }],
      counts: { ...counts, builds: { done: 0, failed: 1, totalMs: 1, lastFault: 'unavailable' } },
      minutes: Array.from({ length: 10 }, (_, index) =>
        minute({ retainedWalBytes: index * GIB, storedMs: 9e9, deliveredMs: 9e9, faults: 1 }),
      ),
      leftOut: ['public.a'],
      strays: ['public.a'],
      epochStarted: { reason: 'restored', atMs: NOW },
      subscribersBehind: 5,
      watch: { on: false, reason: 'r', degraded: true },
      pause: { sinceMs: 0, untilMs: NOW + 1, by: 'Ann' },
    })
    expect(ill.checks.filter(({ status }) => status === 'ok')).toEqual([])
    expect(ill.checks.filter(({ message }) => message.length < 2)).toEqual([])
    expect(judged({}).checks.filter(({ message }) => message !== '')).toEqual([])
    expect(ill.checks.map(({ name }) => name)).toEqual(judged({}).checks.map(({ name }) => name))
  })

  test('OPS-01 takes what nobody knows yet for no fault, but for a cycle that never ran', () => {
    const unknown = judged({
      epoch: null,
      head: null,
      decoder: null,
      decoderReason: null,
      lastCycleAtMs: null,
      slotPresent: null,
      server: null,
      bundleHash: null,
      subscribers: 0,
    })
    expect(unknown.checks.filter(({ status }) => status !== 'ok').map(({ name }) => name)).toEqual(['cycle'])
    expect(unknown).toMatchObject({ status: 'warn', lastCycleAt: null })
  })
})
