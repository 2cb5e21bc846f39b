import { expect, test } from 'vitest'
import { asLsn } from '../../protocol/index.ts'
import type { Delivery } from '../contracts.ts'
import { ReplicationStorage } from './replication-storage.ts'
import { Router } from './router.ts'
import { NOTHING_STORED } from './rules/batch-tally.ts'

const definition = { version: 1, hash: 'h', definition: { types: [], tables: [] } }
const lsn = (step: number) => asLsn(step.toString(16).padStart(16, '0'))

test('DIS-03 CAP-R21 a subscriber that hangs delays no other, and catches up by a notice', async () => {
  const heard: Record<string, Delivery[]> = { hangs: [], other: [] }
  const held = Promise.withResolvers<void>()
  const work: Promise<unknown>[] = []
  const objects = {
    getByName: (name: string) => ({
      deliver: async (delivery: Delivery) => {
        heard[name]?.push(delivery)
        if (name === 'hangs') await held.promise
        return { epoch: delivery.epoch, head: delivery.to }
      },
      fetch: async () => new Response(),
    }),
  }
  const storage = new ReplicationStorage({ exec: () => [] })
  const router = new Router({
    storage,
    objects,
    nowMs: () => 1_000,
    random: () => 1,
    background: (one) => work.push(one),
    delivered: () => {},
  })
  for (const subscriber of ['hangs', 'other'])
    router.subscribe({ subscriber, audiences: ['a'], version: 1, askedMs: 0 }, { epoch: 'e', to: lsn(0), definition })
  for (const step of [1, 2, 3]) {
    const range = { epoch: 'e', from: lsn(step - 1), to: lsn(step), definition }
    const batch = {
      ...range,
      everyone: false,
      transactions: [],
      rights: null,
      hasMutations: false,
      stored: NOTHING_STORED,
    }
    router.route({ ...batch, audiences: new Set(['a']) }, router.generation)
    await work.at(-1)
  }
  expect(heard.other?.map(({ to }) => to)).toEqual([lsn(1), lsn(2), lsn(3)])
  expect(heard.hangs?.map(({ to }) => to)).toEqual([lsn(1)])
  held.resolve()
  while (work.length > 0) await work.shift()
  expect(heard.hangs?.at(-1)).toMatchObject({ from: lsn(1), to: lsn(3), transactions: null })
})
