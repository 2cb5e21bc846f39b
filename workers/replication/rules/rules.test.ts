import { describe, expect, test } from 'vitest'
import { asLsn, type Lsn } from '../../../protocol/index.ts'
import { textArray } from '../../database/text-array.ts'
import { wal2jsonName } from '../wal2json-source.ts'
import { classifyHealth, type HealthFigures } from './classify-health.ts'
import { chooseDecoder } from './decoder-choice.ts'
import { decideEpoch, NO_MEMORY, type ServerFacts } from './epoch-decision.ts'
import { boundedIntervals, nextPauseMs } from './interval.ts'
import { selectChanges } from './select-changes.ts'
import {
  afterFailure,
  afterReceipt,
  deliveryOf,
  type RoutedBatch,
  renewed,
  type Subscription,
  subscribe,
  withBatch,
} from './subscription.ts'
import { decideWatch, isPooled, type WatchFacts } from './watch.ts'

const lsn = (step: number): Lsn => asLsn((0xfffffff0n + BigInt(step)).toString(16).padStart(16, '0'))
const definition = { version: 1, hash: 'h', definition: { types: [], tables: [] } }

describe('pauses', () => {
  const intervals = boundedIntervals({ activeMs: 1_000, idleMs: 3_600_000 })
  const pace = { subscribers: 0, quietMs: 0, failures: 0, watching: false, random: 1 }

  test.each([
    ['fast with subscribers', { subscribers: 1, quietMs: 299_999 }, 1_000],
    ['a watchdog while a wait brings the next cycle', { subscribers: 1, watching: true }, 15_000],
    ['slower once it is quiet for subscribers too', { subscribers: 1, quietMs: 300_000 }, 30_000],
    ['long enough for Neon to sleep', { subscribers: 1, quietMs: 9e9 }, 600_000],
    ['backing off rather than watching', { subscribers: 1, watching: true, failures: 1 }, 1_000],
    ['fast just after a change', { quietMs: 100 }, 1_000],
    ['slower with the quiet', { quietMs: 60_000 }, 30_000],
    ['no slower than idle', { quietMs: 9e9 }, 3_600_000],
    ['backing off', { failures: 3, subscribers: 1 }, 4_000],
    ['up to a minute', { failures: 30, subscribers: 1 }, 60_000],
    ['up to five without subscribers', { failures: 30 }, 300_000],
    ['with jitter', { failures: 1, random: 0 }, 500],
  ])('CAP-26 OPS-12 CAP-R27 %s', (_, given, pauseMs) => {
    expect(nextPauseMs({ ...pace, ...given }, intervals)).toBe(pauseMs)
  })

  test('CAP-R27 no idle pause comes near the age at which a slot is dropped', () => {
    expect(boundedIntervals({ idleMs: 9e9 }).idleMs).toBe(12 * 3_600_000)
    expect(boundedIntervals({ activeMs: 0 }).activeMs).toBeGreaterThan(0)
  })
})

describe('watching', () => {
  const facts: WatchFacts = { wanted: true, subscribers: 1, quietMs: 0, failures: 0, obstacle: null }

  test.each<[string, Partial<WatchFacts>, { on: boolean; degraded: boolean }]>([
    ['on with a subscriber and something happening', {}, { on: true, degraded: false }],
    ['on until the quiet has lasted', { quietMs: 299_999 }, { on: true, degraded: false }],
    ['off after quiet minutes', { quietMs: 300_000 }, { on: false, degraded: false }],
    ['off without subscribers', { subscribers: 0 }, { on: false, degraded: false }],
    ['off where the app says so', { wanted: false, obstacle: 'x' }, { on: false, degraded: false }],
    ['off while cycles fail', { failures: 1 }, { on: false, degraded: false }],
    ['off, and said, where it cannot be had', { obstacle: 'x' }, { on: false, degraded: true }],
  ])('OPS-12 CAP-R29 %s', (_, given, expected) => {
    expect(decideWatch({ ...facts, ...given }, boundedIntervals())).toMatchObject(expected)
  })

  test('CAP-R29 a pooled host is known by its name', () => {
    expect(isPooled('postgres://a:b@ep-x-pooler.eu-central-1.aws.neon.tech/app')).toBe(true)
    expect(isPooled('postgres://a:b@ep-x.eu-central-1.aws.neon.tech/app')).toBe(false)
    expect(isPooled('no url')).toBe(false)
  })
})

describe('epochs', () => {
  const own = { owner: 'me', slotName: 's', decoder: 'auto' } as const
  const epoch = {
    id: 'e',
    slotName: 's',
    owner: 'me',
    decoder: 'pgoutput',
    systemIdentifier: '1',
    timeline: 1,
    startLsn: lsn(1),
    headLsn: lsn(5),
    floorLsn: lsn(1),
    definitionVersion: 1,
  }
  const slot = {
    database: 'd',
    plugin: 'pgoutput',
    active: false,
    lost: null,
    restartLsn: lsn(1),
    confirmedFlushLsn: lsn(20),
  }
  const facts: ServerFacts = { database: 'd', systemIdentifier: '1', timeline: 1, flushLsn: lsn(30), slot, epoch }
  const memory = { ...NO_MEMORY, epoch: 'e', capturedTo: lsn(20), advancedTo: lsn(20), headLsn: epoch.headLsn }

  test('FLT-02 CAP-R12 a whole history goes on, a slot that went back included', () => {
    expect(decideEpoch(facts, memory, own)).toEqual({ action: 'continue' })
    expect(decideEpoch({ ...facts, slot: { ...slot, confirmedFlushLsn: lsn(2) } }, memory, own)).toEqual({
      action: 'continue',
    })
    expect(decideEpoch(facts, NO_MEMORY, own)).toEqual({ action: 'continue' })
  })

  test.each<[string, Partial<ServerFacts>, string]>([
    ['no epoch', { epoch: null }, 'released'],
    ['another system', { systemIdentifier: '2' }, 'system-changed'],
    ['another timeline', { timeline: 2 }, 'timeline-changed'],
    [
      'another system of another owner',
      { systemIdentifier: '2', epoch: { ...epoch, owner: 'other' } },
      'system-changed',
    ],
    ['another epoch', { epoch: { ...epoch, id: 'x' } }, 'restored'],
    ['a head put back', { epoch: { ...epoch, headLsn: epoch.startLsn }, flushLsn: lsn(99) }, 'restored'],
    ['a log before the head', { flushLsn: lsn(4) }, 'log-went-back'],
    ['a log before what was captured', { flushLsn: lsn(19) }, 'log-went-back'],
    ['no slot', { slot: null }, 'slot-missing'],
    ['a lost slot', { slot: { ...slot, lost: 'wal_removed' } }, 'slot-lost: wal_removed'],
    ['a slot of another plugin', { slot: { ...slot, plugin: 'wal2json' } }, 'slot-replaced'],
    ['a slot further along', { slot: { ...slot, confirmedFlushLsn: lsn(21) } }, 'slot-moved'],
  ])('FLT-03 CAP-R12 %s begins another', (_, change, reason) => {
    expect(decideEpoch({ ...facts, ...change }, memory, own)).toEqual({ action: 'start', reason })
  })

  test('OPS-11 CAP-R12 another owner, or a slot of another database, is refused', () => {
    const refused = expect.objectContaining({ kind: 'misconfigured' })
    expect(() => decideEpoch({ ...facts, epoch: { ...epoch, owner: 'other' } }, memory, own)).toThrow(refused)
    expect(() => decideEpoch({ ...facts, slot: { ...slot, database: 'other' } }, memory, own)).toThrow(refused)
  })
})

describe('decoders', () => {
  const numeric = {
    id: 'public.t',
    schema: 'public',
    name: 't',
    columns: [{ name: 'n', type: 'numeric(10,2)', notNull: false, generated: null }],
    primaryKey: ['n'],
    audience: { constant: 'all' as const },
    priority: 1,
    uniques: [],
    indexes: [],
    foreignKeys: [],
  }
  const plain = { types: [], tables: [] }
  const able = { wal2jsonFault: null, numericAsString: true, partitioned: [], sendsGenerated: true }

  test('CAP-23 CAP-R22 auto takes wal2json where it can capture everything, else pgoutput', () => {
    expect(chooseDecoder('auto', able, { types: [], tables: [numeric] }).decoder).toBe('wal2json')
    expect(chooseDecoder('auto', { ...able, numericAsString: false }, plain).decoder).toBe('wal2json')
    for (const { facts, tables } of [
      { facts: { ...able, numericAsString: false }, tables: { types: [], tables: [numeric] } },
      { facts: { ...able, partitioned: ['public.t'] }, tables: plain },
      { facts: { ...able, wal2jsonFault: 'absent' }, tables: plain },
    ]) {
      expect(chooseDecoder('auto', facts, tables)).toMatchObject({
        decoder: 'pgoutput',
        reason: expect.stringContaining('auto took pgoutput'),
      })
      expect(() => chooseDecoder('wal2json', facts, tables)).toThrow(expect.objectContaining({ kind: 'misconfigured' }))
    }
  })

  test('FLD-54 VAL-R5 CAP-R22 generated columns that travel go by wal2json, or by a pgoutput that sends them', () => {
    const column = { name: 'low', type: 'text', notNull: false, generated: null, serverGenerated: true as const }
    const tables = { types: [], tables: [{ ...numeric, columns: [...numeric.columns, column] }] }
    const older = { ...able, sendsGenerated: false }
    expect(chooseDecoder('auto', older, tables).decoder).toBe('wal2json')
    expect(chooseDecoder('auto', { ...able, wal2jsonFault: 'absent' }, tables).decoder).toBe('pgoutput')
    const absent = { ...older, wal2jsonFault: 'wal2json is absent' }
    for (const asked of ['auto', 'pgoutput'] as const)
      expect(() => chooseDecoder(asked, absent, tables)).toThrow(/below Postgres 18 .*low\): hide them/)
    expect(chooseDecoder('auto', absent, plain).decoder).toBe('pgoutput')
  })
})

describe('subscriptions', () => {
  const position = { epoch: 'e', to: lsn(10), definition }
  const batch = (change: Partial<RoutedBatch>): RoutedBatch => ({
    ...position,
    from: lsn(10),
    to: lsn(20),
    audiences: new Set(['a']),
    everyone: false,
    transactions: [],
    rights: null,
    hasMutations: false,
    ...change,
  })
  const joined = subscribe(
    undefined,
    { subscriber: 's', audiences: ['a'], version: 1, askedMs: 0 },
    position,
    1,
    0,
  ) as Subscription

  test('CAP-R20 a renewal goes on from where deliveries stand; an older version is ignored', () => {
    const acked = { ...joined, acked: lsn(15) }
    expect(
      subscribe(
        acked,
        { subscriber: 's', audiences: ['a'], version: 1, askedMs: 0 },
        { ...position, to: lsn(30) },
        2,
        5,
      )?.acked,
    ).toBe(lsn(15))
    expect(
      subscribe(
        acked,
        { subscriber: 's', audiences: ['a', 'b'], version: 2, askedMs: 0 },
        { ...position, to: lsn(30) },
        2,
        5,
      )?.acked,
    ).toBe(lsn(30))
    expect(subscribe(acked, { subscriber: 's', audiences: [], version: 0, askedMs: 0 }, position, 2, 5)).toBeNull()
  })

  test('CAP-R33 clients come and go within a version, as the latest request says', () => {
    const ask = (askedMs: number, ...audiences: string[]) => ({ subscriber: 's', audiences, version: 1, askedMs })
    const sending = { ...joined, acked: lsn(15), sentAtMs: 3 }
    const two = subscribe(sending, ask(7, 'a', 'client:x'), { ...position, to: lsn(30) }, 2, 5)
    expect(two).toMatchObject({ acked: lsn(15), sentAtMs: 3, version: 1, generation: sending.generation })
    expect([...(two?.audiences ?? [])]).toEqual(['a', 'client:x'])
    const late = renewed(two ?? joined, ask(6, 'a'), 8)
    expect(late.audiences).toBe(two?.audiences)
    expect([...renewed(late, ask(9, 'a'), 9).audiences]).toEqual(['a'])
    expect(renewed(late, ask(9, 'client:x', 'a'), 9).audiences).toBe(late.audiences)
  })

  test('SEC-04 CAP-R33 a mutation is told to subscribers of its client, and nobody else learns that there was one', () => {
    const at = { lsn: lsn(1), xid: '1', at: '' }
    const mutation = { audience: 'client:x', text: '{"counter":1,"rejection":null,"predicted":null}' }
    const change = { audience: 'a', text: '{"o":"d","t":"t","a":"a","k":{}}' }
    const truncate = { audience: null, text: '{"o":"t","t":"t"}' }
    const transactions = [
      { ...at, changes: [mutation, change, truncate] },
      { ...at, changes: [mutation] },
    ]
    const told = (...audiences: string[]) =>
      selectChanges(new Set(audiences), transactions).map(({ changes }) => changes)
    expect(told('a', 'client:x')).toEqual([[mutation, change, truncate], [mutation]])
    expect(told('a', 'client:y')).toEqual([[change, truncate]])
    expect(told('client:x')).toEqual([[mutation, truncate], [mutation]])
    expect(told()).toEqual([[truncate]])
  })

  test('CAP-R21 what matters is sent from the acknowledged head; in flight nothing is', () => {
    expect(deliveryOf(joined, batch({}), 1, 0)).toMatchObject({ from: lsn(10), to: lsn(20), transactions: [] })
    expect(deliveryOf({ ...joined, sentAtMs: 0 }, batch({}), 1, 0)).toBeNull()
    expect(deliveryOf(joined, batch({ transactions: null }), 1, 0)?.transactions).toBeNull()
  })

  test('CAP-R20 an audience that joined while a batch was gathered gets a notice, not the batch', () => {
    expect(deliveryOf({ ...joined, generation: 2 }, batch({ audiences: new Set() }), 1, 0)?.transactions).toBeNull()
  })

  test('CAP-R21 others learn the head now and then', () => {
    const other = batch({ audiences: new Set(['b']) })
    expect(deliveryOf(joined, other, 1, 100)).toBeNull()
    expect(deliveryOf(joined, other, 1, 60_000)).toMatchObject({ to: lsn(20), transactions: [] })
  })

  test('CAP-R21 a head that falls short, fails, or is of another epoch is sent again later', () => {
    const needed = withBatch(joined, batch({}), 1)
    const delivery = deliveryOf(joined, batch({}), 1, 0)
    if (delivery === null) throw new Error('unreachable')
    expect(afterReceipt(needed, delivery, { epoch: 'e', head: lsn(20) }, 5)).toMatchObject({
      acked: lsn(20),
      retryAtMs: null,
    })
    expect(afterReceipt(needed, delivery, { epoch: 'e', head: lsn(15) }, 5)).toMatchObject({
      acked: lsn(15),
      failures: 1,
    })
    expect(afterReceipt(needed, delivery, { epoch: 'x', head: lsn(99) }, 5)).toMatchObject({
      acked: lsn(10),
      failures: 1,
    })
    expect(afterFailure({ ...joined, failures: 99 }, 0, 1).retryAtMs).toBe(30_000)
  })

  test('HIS-07 CAP-R21 a new epoch with lower positions needs no position of the old one', () => {
    const moved = withBatch(joined, batch({ epoch: 'new', to: lsn(2) }), 1)
    const delivery = deliveryOf(joined, batch({ epoch: 'new', to: lsn(2) }), 1, 0)
    expect(delivery).toMatchObject({ epoch: 'new', from: lsn(2), to: lsn(2) })
    if (delivery === null) throw new Error('unreachable')
    const after = afterReceipt(moved, delivery, { epoch: 'new', head: lsn(2) }, 0)
    expect(after).toMatchObject({ epoch: 'new', acked: lsn(2), neededTo: lsn(2) })
  })
})

describe('health', () => {
  const fine: HealthFigures = {
    epoch: 'e',
    head: lsn(1),
    decoder: 'pgoutput',
    decoderReason: 'asked for',
    lastCycleAtMs: 1_000,
    nextCycleAtMs: 2_000,
    lastError: null,
    slotPresent: true,
    server: { retainedWalBytes: 1, openWriteMs: 0, definitionHash: 'h' },
    bundleHash: 'h',
    leftOut: [],
    epochStarted: null,
    subscribers: 1,
    subscribersBehind: 0,
    watch: { on: true, reason: 'on', degraded: false },
  }

  test.each<[string, Partial<HealthFigures>, string, 'ok' | 'warn' | 'fail']>([
    ['nothing', {}, 'cycle', 'ok'],
    ['a cycle long overdue', { nextCycleAtMs: -100_000 }, 'cycle', 'fail'],
    ['no alarm', { nextCycleAtMs: null }, 'cycle', 'fail'],
    ['no alarm and no cycle since an eviction', { lastCycleAtMs: null, nextCycleAtMs: null }, 'cycle', 'fail'],
    ['a first cycle overdue', { lastCycleAtMs: null, nextCycleAtMs: -100_000 }, 'cycle', 'fail'],
    ['a first cycle under way', { lastCycleAtMs: null }, 'cycle', 'warn'],
    ['a failing cycle', { lastError: { kind: 'internal', message: 'm', count: 3 } }, 'error', 'fail'],
    ['a lost slot', { slotPresent: false }, 'slot', 'fail'],
    [
      'much retained log',
      { server: { retainedWalBytes: 2e9, openWriteMs: 0, definitionHash: 'h' } },
      'retained-wal',
      'warn',
    ],
    [
      'an old open write',
      { server: { retainedWalBytes: 1, openWriteMs: 3_600_000, definitionHash: 'h' } },
      'open-write-transaction',
      'warn',
    ],
    ['no watch mode', { watch: { on: false, reason: 'x', degraded: true } }, 'watch', 'warn'],
    ['a watch that rests', { watch: { on: false, reason: 'x', degraded: false } }, 'watch', 'ok'],
    ['another definition', { bundleHash: 'x' }, 'definition', 'warn'],
    ['tables left out', { leftOut: ['public.item'] }, 'left-out', 'fail'],
    ['a new epoch', { epochStarted: { reason: 'slot-missing', atMs: 0 } }, 'epoch', 'warn'],
  ])('OPS-01 CAP-25 CAP-R15 %s shows', (_, change, name, status) => {
    const health = classifyHealth({ ...fine, ...change }, 1_500)
    const check = health.checks.find((candidate) => candidate.name === name)
    expect(check?.status).toBe(status)
    expect(check?.message === '').toBe(status === 'ok')
    expect(health.status).toBe(status)
  })
})

test('text arrays and wal2json names escape what has a meaning there', () => {
  expect(textArray(['a', null, 'NULL', 'q"b\\', ''])).toBe('{"a",NULL,"NULL","q\\"b\\\\",""}')
  expect(wal2jsonName('a.b, *\\')).toBe('a\\.b\\,\\ \\*\\\\')
})
