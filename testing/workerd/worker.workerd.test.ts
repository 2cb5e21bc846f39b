import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { withDatabase } from '../../workers/database/index.ts'
import { servers } from '../postgres/servers.ts'
import { useTestDatabase } from '../postgres/use-test-database.ts'
import { type SyncDO, useDatabase } from './worker.ts'

const namespace = (env as unknown as { SYNC: DurableObjectNamespace<SyncDO> }).SYNC

describe.each(['embedded', 'system'] as const)('the Workers runtime of the tests, with the %s Postgres', (name) => {
  const database = useTestDatabase(servers()[name])
  beforeAll(() => {
    useDatabase(database.env)
  })

  it(`FLT-08 keeps the storage of an evicted object, which reads its own database (${name})`, async () => {
    const stub = namespace.getByName(`fixture-${name}`)
    await runInDurableObject(stub, async (_instance, state) => {
      const rows = await withDatabase(database.env, ({ query }) => query('SELECT current_database() AS name'))
      state.storage.kv.put('database', rows[0]?.name)
    })
    await evictDurableObject(stub)
    const kept = await runInDurableObject(stub, (_instance, state) => state.storage.kv.get('database'))
    expect(kept).toBe(database.name)
  })
})
