import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asLsn, type DefinitionInForce, type Lsn } from '../../../protocol/index.ts'
import type { SubscribeRequest } from '../../contracts.ts'
import type { EncodedTransaction } from '../../encoded-change.ts'
import { NOTHING_STORED } from './batch-tally.ts'
import {
  afterFailure,
  afterReceipt,
  type CapturePosition,
  deliveryOf,
  isBehind,
  LEASE_MS,
  noticeOf,
  type RoutedBatch,
  type RoutedSubscription,
  renewed,
  subscribe,
  withBatch,
} from './subscription.ts'

/** Across the place where a half of the position overflows. */
const lsn = (step: number): Lsn => asLsn((0xfffffff0n + BigInt(step)).toString(16).padStart(16, '0'))
const definitionOf = (version: number): DefinitionInForce => ({
  version,
  hash: `h${version}`,
  definition: { types: [], tables: [] },
})
const position = (to: number, more: Partial<CapturePosition> = {}): CapturePosition => ({
  epoch: 'e',
  to: lsn(to),
  definition: definitionOf(1),
  ...more,
})
const request = (more: Partial<SubscribeRequest> = {}): SubscribeRequest => ({
  subscriber: 's',
  audiences: ['a'],
  version: 1,
  askedMs: 0,
  ...more,
})
const change = (audience: string): EncodedTransaction => ({
  lsn: lsn(20),
  xid: '1',
  at: '',
  changes: [{ audience, text: '{}' }],
})
const batch = (to: number, more: Partial<RoutedBatch> = {}): RoutedBatch => ({
  ...position(to),
  from: lsn(0),
  audiences: new Set(['a']),
  everyone: false,
  transactions: [change('a'), change('b')],
  rights: null,
  hasMutations: false,
  stored: NOTHING_STORED,
  ...more,
})
/** The batch was gathered for the subscriptions as they stood at the first generation. */
const GENERATION = 1
const delivered = (subscription: RoutedSubscription, one: RoutedBatch, now: number) =>
  deliveryOf(subscription, one, GENERATION, now)
const afterBatch = (subscription: RoutedSubscription, one: RoutedBatch) => withBatch(subscription, one, GENERATION)

function subscribed(
  known: RoutedSubscription | undefined,
  asked: SubscribeRequest,
  at: CapturePosition,
  now = 0,
): RoutedSubscription {
  const made = subscribe(known, asked, at, 1, now)
  if (made === null) throw new Error('It was refused.')
  return made
}
const fresh = subscribed(undefined, request(), position(10))

describe('a request', () => {
  test('CAP-R20 is answered with where capture stands, for the length of a lease', () => {
    expect(subscribed(undefined, request(), position(10), 5)).toMatchObject({
      acked: lsn(10),
      neededTo: lsn(10),
      leaseUntilMs: 5 + LEASE_MS,
      sentAtMs: null,
      retryAtMs: null,
    })
  })

  test('CAP-R20 that is outdated is refused, and changes nothing', () => {
    const known = subscribed(undefined, request({ version: 5 }), position(10))
    expect(subscribe(known, request({ version: 4, audiences: [] }), position(90), 2, 99)).toBeNull()
  })

  test('CAP-R20 of one version goes on from where deliveries stand, though the answer to it was lost', () => {
    const behind = { ...fresh, acked: lsn(3), neededTo: lsn(8), failures: 4, retryAtMs: 77 }
    const again = subscribed(behind, request(), position(50), 1_000)
    expect(again).toMatchObject({ acked: lsn(3), neededTo: lsn(8), failures: 4, retryAtMs: 77 })
    expect(again.leaseUntilMs).toBe(1_000 + LEASE_MS)
  })

  test('CAP-R20 of a higher version begins where capture stands', () => {
    const known = { ...fresh, acked: lsn(15) }
    const widened = subscribed(known, request({ version: 2, audiences: ['a', 'b'] }), position(30))
    expect(widened.acked).toBe(lsn(30))
  })

  test('CAP-R12 of one version begins anew in another history, whose positions are others', () => {
    const far = { ...fresh, acked: lsn(99), sentAtMs: 1 }
    expect(subscribed(far, request(), position(2, { epoch: 'new' }))).toMatchObject({
      epoch: 'new',
      acked: lsn(2),
      neededTo: lsn(2),
      sentAtMs: null,
    })
  })

  test('CAP-R33 of the same moment, or a later one, says which clients are there', () => {
    const clients = (askedMs: number, ...audiences: string[]) => [
      ...renewed({ ...fresh, askedMs: 9 }, request({ askedMs, audiences }), 100).audiences,
    ]
    expect(clients(9, 'a', 'client:x')).toEqual(['a', 'client:x'])
    expect(clients(10)).toEqual([])
    expect(clients(10, 'client:x')).toEqual(['client:x'])
  })

  test('CAP-R33 says which clients are there within a version, and takes nothing from deliveries', () => {
    const ask = (askedMs: number, ...audiences: string[]) => request({ askedMs, audiences })
    const sending = { ...fresh, acked: lsn(15), sentAtMs: 3 }
    const two = subscribed(sending, ask(7, 'a', 'client:x'), position(30), 5)
    expect(two).toMatchObject({ acked: lsn(15), sentAtMs: 3, version: 1, generation: sending.generation })
    expect([...two.audiences]).toEqual(['a', 'client:x'])
    const late = renewed(two, ask(6, 'a'), 8)
    expect(late.audiences).toBe(two.audiences)
    expect([...renewed(late, ask(9, 'a'), 9).audiences]).toEqual(['a'])
    expect(renewed(late, ask(9, 'client:x', 'a'), 9).audiences).toBe(late.audiences)
  })

  test('CAP-R33 that was made before another and came after it prolongs the lease alone', () => {
    const late = renewed({ ...fresh, askedMs: 9 }, request({ askedMs: 8, audiences: [] }), 100)
    expect(late).toEqual({ ...fresh, askedMs: 9, leaseUntilMs: 100 + LEASE_MS })
  })
})

describe('a delivery', () => {
  test('DIS-01 CAP-R21 begins at the acknowledged head and brings what its audiences may see', () => {
    expect(delivered(fresh, batch(20, { rights: ['u'] }), 0)).toEqual({
      epoch: 'e',
      version: 1,
      from: lsn(10),
      to: lsn(20),
      transactions: [change('a')],
      definition: null,
      rights: ['u'],
    })
  })

  test.each<[string, Partial<RoutedSubscription>]>([
    ['while another is in flight', { sentAtMs: 0 }],
    ['while a failure is waited out', { retryAtMs: 5_000 }],
    ['up to where it has acknowledged', { acked: lsn(20), neededTo: lsn(20) }],
  ])('CAP-R21 is not sent %s', (_, more) => {
    expect(delivered({ ...fresh, ...more }, batch(20), 60_000)).toBeNull()
  })

  test.each<[string, Partial<RoutedSubscription>, Partial<RoutedBatch>]>([
    ['where something before it was missed', { neededTo: lsn(15) }, {}],
    ['that was larger than a delivery may be', {}, { transactions: null }],
    ['that was gathered before an audience joined', { generation: 2 }, {}],
    ['in a history that is new to it', { epoch: 'old' }, {}],
  ])('CAP-R21 CAP-R20 is a head without transactions %s', (_, more, changed) => {
    expect(delivered({ ...fresh, ...more }, batch(20, changed), 0)).toMatchObject({
      to: lsn(20),
      transactions: null,
      rights: null,
    })
  })

  test('CAP-R10 what is told to everyone reaches whoever sees nothing of it', () => {
    const quiet = batch(20, { audiences: new Set(), everyone: true, transactions: [] })
    expect(delivered(fresh, quiet, 0)).toMatchObject({ to: lsn(20), transactions: [] })
  })

  test('CAP-R19 brings a definition to whoever has not been told it, and to nobody twice', () => {
    const next = batch(20, { definition: definitionOf(2), audiences: new Set() })
    const delivery = delivered(fresh, next, 0)
    expect(delivery).toMatchObject({ to: lsn(20), definition: { version: 2 } })
    if (delivery === null) throw new Error('Nothing is sent.')
    const told = afterReceipt(fresh, delivery, { epoch: 'e', head: lsn(20) }, 0, 0)
    expect(told.definitionVersion).toBe(2)
    expect(noticeOf(told, position(30, { definition: definitionOf(2) })).definition).toBeNull()
  })

  test('CAP-R21 tells whom nothing concerns the head every ten seconds, and nothing that it has', () => {
    const other = batch(20, { audiences: new Set(['b']) })
    expect(delivered(fresh, other, 9_999)).toBeNull()
    expect(delivered(fresh, other, 10_000)).toMatchObject({ from: lsn(10), to: lsn(20), transactions: [] })
    expect(delivered(fresh, batch(10, { audiences: new Set(['b']) }), 99_999)).toBeNull()
  })

  test('CAP-R21 in another history says no position of the one before', () => {
    expect(noticeOf({ ...fresh, epoch: 'old', acked: lsn(99) }, position(2))).toMatchObject({
      from: lsn(2),
      to: lsn(2),
    })
  })
})

describe('what must be told', () => {
  test('CAP-R21 stays so until it is acknowledged, whatever else comes', () => {
    const needed = afterBatch(fresh, batch(20))
    expect(isBehind(needed, 'e')).toBe(true)
    const later = afterBatch(needed, batch(30, { audiences: new Set(['b']) }))
    expect(later.neededTo).toBe(lsn(20))
    expect(isBehind({ ...later, acked: lsn(19) }, 'e')).toBe(true)
    expect(isBehind({ ...later, acked: lsn(20) }, 'e')).toBe(false)
  })

  test('CAP-R21 never goes back, though a batch be told late', () => {
    expect(afterBatch(afterBatch(fresh, batch(30)), batch(20)).neededTo).toBe(lsn(30))
  })

  test('CAP-R12 HIS-07 is everything in a history that it does not know', () => {
    expect(isBehind(fresh, 'new')).toBe(true)
    expect(afterBatch({ ...fresh, neededTo: lsn(99) }, batch(2, { epoch: 'new' })).neededTo).toBe(lsn(2))
  })

  test('nothing, where it is not concerned', () => {
    const other = batch(20, { audiences: new Set(['b']) })
    expect(afterBatch(fresh, other)).toBe(fresh)
    expect(isBehind(fresh, 'e')).toBe(false)
  })
})

describe('an answer', () => {
  const delivery = noticeOf(fresh, position(20))

  test('CAP-R21 that reaches the head ends all trying again', () => {
    const failed = { ...fresh, failures: 3, sentAtMs: 1, retryAtMs: 9 }
    expect(afterReceipt(failed, delivery, { epoch: 'e', head: lsn(25) }, 7, 0)).toMatchObject({
      acked: lsn(25),
      sentAtMs: null,
      deliveredAtMs: 7,
      failures: 0,
      retryAtMs: null,
    })
  })

  test('CAP-R21 that falls short is not sent again at once, and takes nothing back', () => {
    const far = { ...fresh, acked: lsn(15), sentAtMs: 1 }
    const short = afterReceipt(far, delivery, { epoch: 'e', head: lsn(12) }, 100, 0)
    expect(short).toMatchObject({ acked: lsn(15), sentAtMs: null, failures: 1 })
    expect(short.retryAtMs).toBeGreaterThan(100)
    const later = afterReceipt(far, delivery, { epoch: 'e', head: lsn(12) }, 100, 1)
    expect(later.retryAtMs).toBeGreaterThan(short.retryAtMs ?? 0)
  })

  test('HIS-07 CAP-R21 in a new epoch with lower positions stands at its positions', () => {
    const lower = batch(2, { epoch: 'new' })
    const sent = delivered(fresh, lower, 0)
    expect(sent).toMatchObject({ epoch: 'new', from: lsn(2), to: lsn(2) })
    if (sent === null) throw new Error('Nothing is sent.')
    const after = afterReceipt(afterBatch(fresh, lower), sent, { epoch: 'new', head: lsn(2) }, 0, 0)
    expect(after).toMatchObject({ epoch: 'new', acked: lsn(2), neededTo: lsn(2) })
  })

  test('CAP-R12 out of another history says nothing about this one', () => {
    const answered = afterReceipt(fresh, delivery, { epoch: 'old', head: lsn(99) }, 0, 0)
    expect(answered).toMatchObject({ epoch: 'e', acked: lsn(10), definitionVersion: 1, failures: 1 })
  })
})

test('CAP-R21 failures are tried again ever later, between half a second and thirty, spread by chance', () => {
  const waited = (failures: number, random: number) => afterFailure({ ...fresh, failures }, 0, random).retryAtMs ?? -1
  expect(waited(99, 1)).toBe(30_000)
  fc.assert(
    fc.property(fc.nat(10_000), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      expect(waited(failures, random)).toBeGreaterThanOrEqual(500)
      expect(waited(failures, random)).toBeLessThanOrEqual(30_000)
      expect(waited(failures + 1, 0)).toBeGreaterThanOrEqual(waited(failures, 0))
      expect(waited(failures, 0)).toBeLessThan(waited(failures, 1))
    }),
  )
})
