import { expect, test } from 'vitest'
import { asLsn } from '../../protocol/index.ts'
import type { Delivery } from '../contracts.ts'
import { ReplicationStorage, type Sql } from './replication-storage.ts'
import { Router } from './router.ts'
import { NOTHING_STORED } from './rules/batch-tally.ts'

const noSql: Sql = { exec: () => [] }
const definition = { version: 1, hash: 'h', definition: { types: [], tables: [] } }
const lsn = (step: number) => asLsn(step.toString(16).padStart(16, '0'))

/** Makes a router with one subscriber, whose deliveries fail while `failing`. */
function startRouter() {
  const world = { now: 1_000, failing: true, deliveries: [] as Delivery[], work: [] as Promise<unknown>[] }
  const deliver = async (delivery: Delivery) => {
    world.deliveries.push(delivery)
    if (world.failing) throw new Error('overloaded')
    return { epoch: delivery.epoch, head: delivery.to }
  }
  const router = new Router({
    storage: new ReplicationStorage(noSql),
    objects: { getByName: () => ({ deliver, fetch: async () => new Response() }) },
    nowMs: () => world.now,
    random: () => 1,
    background: (work) => void world.work.push(work),
    delivered: () => {},
  })
  router.subscribe(
    { subscriber: 's', audiences: ['a'], version: 1, askedMs: 0 },
    { epoch: 'e', to: lsn(1), definition },
  )
  const route = (to: number, audience: string) =>
    router.route(
      {
        epoch: 'e',
        from: lsn(to - 1),
        to: lsn(to),
        definition,
        audiences: new Set([audience]),
        everyone: false,
        transactions: [],
        rights: null,
        hasMutations: false,
        stored: NOTHING_STORED,
      },
      router.generation,
    )
  const settle = async () => {
    while (world.work.length > 0) await world.work.shift()
  }
  return { world, router, route, settle }
}

test('FLT-12 CAP-R21 a head notice that failed is not due for ever where nothing is owed', async () => {
  const { world, router, route, settle } = startRouter()
  route(2, 'other')
  router.tell('s')
  await settle()
  expect(world.deliveries).toHaveLength(1)
  const dueMs = router.nextDueMs ?? 0
  expect(dueMs).toBeGreaterThan(world.now)
  world.now = dueMs
  router.retryDue()
  await settle()
  expect(world.deliveries).toHaveLength(1)
  expect(router.nextDueMs).toBeGreaterThan(world.now)
  // The next batch is delivered at once.
  world.failing = false
  route(3, 'a')
  await settle()
  expect(world.deliveries.map(({ to }) => to)).toEqual([lsn(2), lsn(3)])
})

test('FLT-12 CAP-R21 an overloaded subscriber is sent to with growing pauses, once each', async () => {
  const { world, router, route, settle } = startRouter()
  route(2, 'a')
  await settle()
  const pauses: number[] = []
  for (let time = 0; time < 5; time += 1) {
    route(3 + time, 'a')
    await settle()
    expect(world.deliveries).toHaveLength(time + 1)
    const dueMs = router.nextDueMs ?? 0
    pauses.push(dueMs - world.now)
    world.now = dueMs
    router.retryDue()
    await settle()
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000])
})

test('FLD-129 CAP-R50 a client is told where it is served, also once its rights would place it elsewhere', async () => {
  const { router } = startRouter()
  const position = { epoch: 'e', to: lsn(1), definition }
  const subscribe = (subscriber: string, askedMs: number, audiences: string[]) =>
    router.subscribe({ subscriber, audiences, version: 1, askedMs }, position)
  subscribe('user:ann', 1, ['client:one', 'client:two'])
  subscribe('org:a', 2, ['org:a', 'client:two'])
  expect(['one', 'two', 'three'].map((client) => router.serverOf(client))).toEqual(['user:ann', 'org:a', null])
})
