import { describe, expect, test } from 'vitest'
import { asLsn } from '../../../protocol/index.ts'
import { classifyHealth, type HealthFigures, type ServerFigures } from './classify-health.ts'

const NOW = 10_000_000
const server: ServerFigures = { retainedWalBytes: 0, openWriteMs: 0, definitionHash: 'h' }
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
  watch: { on: true, reason: 'on', degraded: false },
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
    const open = (openWriteMs: number) =>
      checkOf('open-write-transaction', { server: { ...server, openWriteMs } })?.status
    expect(open(600_000)).toBe('ok')
    expect(open(600_001)).toBe('warn')
    expect(open(9e12)).toBe('warn')
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
    ['an old open write', { server: { ...server, openWriteMs: 3_600_000 } }, 'open-write-transaction', 'warn'],
    ['no watch mode', { watch: { on: false, reason: 'x', degraded: true } }, 'watch', 'warn'],
    ['a watch that rests', { watch: { on: false, reason: 'x', degraded: false } }, 'watch', 'ok'],
    ['another definition', { bundleHash: 'x' }, 'definition', 'warn'],
    ['tables left out', { leftOut: ['public.item'] }, 'left-out', 'fail'],
    ['a new epoch', { epochStarted: { reason: 'slot-missing', atMs: NOW } }, 'epoch', 'warn'],
  ])('OPS-01 CAP-25 CAP-R15 shows %s', (_, change, name, status) => {
    const health = judged(change)
    const check = health.checks.find((candidate) => candidate.name === name)
    expect(check?.status).toBe(status)
    expect(check?.message === '').toBe(status === 'ok')
    // Nothing else is the matter.
    expect(health.status).toBe(status)
  })

  test('OPS-01 is as bad as its worst check', () => {
    expect(judged({}).status).toBe('ok')
    const warned = { server: { ...server, openWriteMs: 9e9 } }
    expect(judged(warned).status).toBe('warn')
    expect(judged({ ...warned, slotPresent: false }).status).toBe('fail')
  })

  test('OPS-01 has a remedy or a cause in every check that is not fine, and no words in one that is', () => {
    const ill = judged({
      nextCycleAtMs: null,
      lastError: { kind: 'internal', message: 'm', count: 1 },
      slotPresent: false,
      server: { retainedWalBytes: 9 * GIB, openWriteMs: 9e9, definitionHash: 'other' },
      leftOut: ['public.a'],
      strays: ['public.a'],
      epochStarted: { reason: 'restored', atMs: NOW },
      subscribersBehind: 5,
      watch: { on: false, reason: 'r', degraded: true },
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
