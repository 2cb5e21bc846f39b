import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openReplica } from '../client/index.ts'
import { sync } from '../testing/oracle/app/sync.ts'
import { type System, startSystem } from '../testing/system/start-system.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({
    app: {
      sync,
      syncModule: new URL('../testing/oracle/app/sync.ts', import.meta.url),
      migrations: new URL('../testing/oracle/app/migrations/', import.meta.url),
    },
    // An idle client gets no notice for an hour, so that a replica that waits for one is seen to wait for ever.
    workerOptions: { intervals: { headNoticeMs: 3_600_000 } },
  })
})
afterAll(() => system?.dispose())

describe('a database that nobody writes to', () => {
  it('SNP-01 DIS-16 lets a replica be ready without waiting for a write or a notice', async () => {
    const token = () => system.token({ userId: 'ann', audiences: ['all'] })
    const replica = await openReplica({ url: system.url, user: 'ann', token, sync, storage: 'memory://' })
    await replica.ready
    expect(replica.status).toMatchObject({ ready: true, rows: 0, audiences: ['all'] })
    await replica.close()
  })
})
