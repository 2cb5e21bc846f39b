import { expect, it } from 'vitest'
import type { LocationHint, SyncEnv } from './env.ts'
import { nearDatabase } from './near-database.ts'

it('PSH-R14 the ReplicationDO is asked for near the database, and others where they are wanted', () => {
  const asked: unknown[] = []
  const recording = (kind: string) => ({
    getByName: (name: string, options?: { readonly locationHint?: LocationHint }) => {
      asked.push([kind, name, options?.locationHint])
    },
  })
  const env = { REPLICATION: recording('replication'), SYNC: recording('sync') } as unknown as SyncEnv
  for (const one of [nearDatabase(env, 'weur'), nearDatabase(env, undefined)]) {
    one.REPLICATION.getByName('main')
    one.SYNC.getByName('org')
  }
  expect(asked).toEqual([
    ['replication', 'main', 'weur'],
    ['sync', 'org', undefined],
    ['replication', 'main', undefined],
    ['sync', 'org', undefined],
  ])
})
