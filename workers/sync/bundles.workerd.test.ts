import { evictDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Bundles } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import {
  beginEpoch,
  connect,
  DEFINITION,
  deliver,
  follow,
  lsn,
  replication,
  stageOf,
  syncObject,
} from '../../testing/workerd/distribution.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import { withDatabase } from '../database/index.ts'

const database = useTestDatabase(servers().system)
beforeAll(async () => {
  useDatabase(database.env)
  await withDatabase(database.env, ({ query }) =>
    query(`INSERT INTO tidemark.app_migration (name, hash) VALUES ('0001.sql', ''), ('0003.sql', '')`),
  )
})

/** Delivers a version of the definition that is for these pages. */
async function putInForce(org: string, epoch: string, bundles: Bundles): Promise<void> {
  const { requests } = await replication().asked(org)
  await syncObject(org).deliver({
    epoch,
    version: requests.at(-1)?.version ?? 0,
    from: lsn(0),
    to: lsn(1),
    transactions: [],
    definition: { ...DEFINITION, version: 2, hash: 'h2', bundles },
    rights: null,
  })
}

describe.each([
  ['', async () => {}],
  [' after eviction', async (name: string) => evictDurableObject(syncObject(name))],
] as const)('the pages that a SyncDO serves%s', (title, pause) => {
  const tag = title === '' ? 'a' : 'b'

  it(`MIG-12 MIG-R7 a breaking version ends the sessions of pages from before it, and no others${title}`, async () => {
    const epoch = `e12${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:m12${tag}`
    const person = { userId: 'u', audiences: [org] }
    const [old, fresh, silent] = [
      await follow(person, epoch, lsn(0), { migration: '0001.sql' }),
      await follow(person, epoch, lsn(0), { migration: '0002.sql' }),
      await follow(person, epoch, lsn(0)),
    ]
    await Promise.all([old, fresh, silent].map((socket) => socket.reaches(lsn(0))))
    await pause(org)
    await putInForce(org, epoch, { oldest: '0002.sql', latest: '0002.sql' })
    expect(await old.frame('fault')).toMatchObject({ kind: 'upgrade-required' })
    expect(await fresh.frame('rehydrate')).toMatchObject({ reason: 'definition' })
    expect(await silent.frame('rehydrate')).toMatchObject({ reason: 'definition' })
    await pause(org)
    const again = await connect(person, { epoch, cursor: lsn(0), migration: '0001.sql' })
    const { message } = await again.frame('fault')
    expect(message).toContain('Migration 0002.sql changed what this page reads or writes: load the app anew.')
    const later = await connect(person, { epoch, cursor: lsn(1), migration: '0002.sql' })
    expect(await later.frame('welcome')).toMatchObject({ definitionVersion: 2 })
  })

  it(`MIG-12 MIG-R7 a page whose last migration has not run waits, whatever the definition says${title}`, async () => {
    const epoch = `e13${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:m13${tag}`
    const person = { userId: 'u', audiences: [org] }
    const first = await follow(person, epoch, lsn(0))
    await first.reaches(lsn(0))
    await putInForce(org, epoch, { oldest: null, latest: '0001.sql' })
    await pause(org)
    const ahead = await connect(person, { epoch, cursor: lsn(0), migration: '0004.sql' })
    expect(await ahead.frame('fault')).toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('migration 0004.sql, which has not run here yet'),
    })
    // It changed nothing that replicas hold, so that no version names it.
    const served = await connect(person, { epoch, cursor: lsn(1), migration: '0003.sql' })
    expect(await served.frame('welcome')).toMatchObject({ definitionVersion: 2 })
  })

  it(`MIG-12 MIG-R7 FLT-03 a version that comes with another epoch ends such sessions as well${title}`, async () => {
    const epoch = `e14${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:m14${tag}`
    const person = { userId: 'u', audiences: [org] }
    const old = await follow(person, epoch, lsn(0), { migration: '0001.sql' })
    const fresh = await follow(person, epoch, lsn(0), { migration: '0002.sql' })
    await Promise.all([old, fresh].map((socket) => socket.reaches(lsn(0))))
    const next = `${epoch}n`
    await beginEpoch(database.env, next)
    const definition = { ...DEFINITION, version: 2, hash: 'h2', bundles: { oldest: '0002.sql', latest: '0002.sql' } }
    await replication().stage(stageOf(next, { definition }))
    await pause(org)
    await deliver(org, next, lsn(0), lsn(1), [])
    expect(await fresh.frame('rehydrate')).toMatchObject({ reason: 'epoch' })
    expect(await old.frame('fault')).toMatchObject({ kind: 'upgrade-required' })
  })
})
