import { expect, test } from 'vitest'
import { asLsn } from '../../protocol/index.ts'
import type { SyncState } from './storage/sync-storage.ts'
import { syncHealth } from './sync-health.ts'

test('DIS-R19 HYD-R7 a table that replicas cannot hold turns a check red, by its name', () => {
  const state = { subscribed: true, leaseUntilMs: 10, head: asLsn('1'.repeat(16)), target: asLsn('1'.repeat(16)) }
  const unsent = { lateClients: 0, oldestMs: null, failedClients: 0 }
  const facts = { sockets: 2, audiences: 1, nowMs: 0, unsent }
  const health = (refused: readonly string[]) =>
    syncHealth({ ...state, failures: 0 } as SyncState, { ...facts, refused })
  expect(health([]).status).toBe('ok')
  const red = health(['public.task', 'public.task'])
  expect(red.status).toBe('fail')
  const check = red.checks.find(({ name }) => name === 'tables-refused')
  expect(check).toMatchObject({ status: 'fail', value: 2, message: expect.stringContaining('(public.task)') })
})
