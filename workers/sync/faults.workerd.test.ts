import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { Lsn } from '../../protocol/index.ts'
import { insertedIds } from '../../testing/encoded-transactions.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import {
  beginEpoch,
  connect,
  deliver,
  follow,
  insert,
  lsn,
  newClient,
  replication,
  stageOf,
  store,
  syncObject,
  transaction,
} from '../../testing/workerd/distribution.ts'
import { withFailpoints } from '../../testing/workerd/failpoints.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import type { SessionState } from './rules/session-state.ts'

const database = useTestDatabase(servers().system)

/** Runs the alarm until the condition holds; each turn is one retry. */
async function alarmsUntil(name: string, condition: () => boolean): Promise<void> {
  while (!condition()) {
    await runDurableObjectAlarm(syncObject(name))
    await syncObject(name).health()
  }
}

describe('faults around a SyncDO', () => {
  it('FLT-04 DIS-R3 a wiped SyncDO subscribes anew with a higher version, and serves from history', async () => {
    useDatabase(database.env)
    await beginEpoch(database.env, 'wiped')
    const org = 'org:wiped'
    const person = { userId: 'u', audiences: [org] }
    const all = [1, 2, 3].map((step) => transaction(lsn(step), insert(org)))
    await store(database.env, 'wiped', all)
    const socket = await follow(person, 'wiped', lsn(0))
    await deliver(org, 'wiped', lsn(0), lsn(2), all.slice(0, 2))
    await socket.reaches(lsn(2))
    await runInDurableObject(syncObject(org), (_instance, state) => state.storage.deleteAll())
    await evictDurableObject(syncObject(org), { webSockets: 'close' })
    const again = await connect(person, { epoch: 'wiped', cursor: lsn(2) })
    expect(await again.frame('welcome')).toMatchObject({ resume: 'stream' })
    expect((await deliver(org, 'wiped', lsn(2), lsn(3), null)).head).toBe(lsn(3))
    await again.reaches(lsn(3))
    expect(again.ids).toEqual(insertedIds(all.slice(2)))
    const versions = (await replication().asked(org)).requests.map(({ version }) => version)
    expect(versions.at(-1)).toBeGreaterThan(versions.at(0) ?? 0)
  })

  it('FLT-05 DIS-R10 while Postgres is away nothing is acknowledged and nobody is closed; then it heals', async () => {
    useDatabase(database.env)
    await beginEpoch(database.env, 'away')
    const org = 'org:away'
    const all = [1, 2, 3].map((step) => transaction(lsn(step), insert(org)))
    await store(database.env, 'away', all)
    const socket = await follow({ userId: 'u', audiences: [org] }, 'away', lsn(0))
    await socket.frame('welcome')
    // Nothing listens on port 9.
    useDatabase({ ...database.env, DATABASE_PROXY: '127.0.0.1:9' })
    await evictDurableObject(syncObject(org))
    const refused = await deliver(org, 'away', lsn(1), lsn(2), all.slice(1, 2)).catch((error: unknown) => error)
    expect(refused).toMatchObject({ kind: 'unavailable' })
    expect((await syncObject(org).health()).status).toBe('warn')
    // A delivery that needs no history is taken.
    expect((await deliver(org, 'away', lsn(0), lsn(1), all.slice(0, 1))).head).toBe(lsn(1))
    await socket.reaches(lsn(1))
    useDatabase(database.env)
    await evictDurableObject(syncObject(org))
    await alarmsUntil(org, () => socket.cursor !== null && socket.cursor >= lsn(2))
    expect((await deliver(org, 'away', lsn(2), lsn(3), all.slice(2))).head).toBe(lsn(3))
    await socket.reaches(lsn(3))
    expect(socket.ids).toEqual(insertedIds(all))
    expect((await syncObject(org).health()).status).toBe('ok')
    expect(socket.closed).toBeNull()
  })

  it('FLT-07 DIS-R4 all objects reset: clients come back with their cursor and miss nothing', async () => {
    useDatabase(database.env)
    await beginEpoch(database.env, 'reset')
    const org = 'org:reset'
    const person = { userId: 'u', audiences: [org] }
    const client = newClient()
    const all = [1, 2, 3].map((step) => transaction(lsn(step), insert(org)))
    await store(database.env, 'reset', all)
    const socket = await follow(person, 'reset', lsn(0), { client })
    await deliver(org, 'reset', lsn(0), lsn(1), all.slice(0, 1))
    await socket.reaches(lsn(1))
    await abortAllDurableObjects()
    await replication().stage(stageOf('reset'))
    const again = await connect(person, { client, epoch: 'reset', cursor: lsn(1) })
    await again.frame('welcome')
    // Capture sends unacknowledged heads again.
    await deliver(org, 'reset', lsn(1), lsn(3), null)
    await again.reaches(lsn(3))
    expect(again.ids).toEqual(insertedIds(all.slice(1)))
  })

  it('FLT-08 DIS-R2 what was sent and then lost here is neither sent again nor missed', async () => {
    useDatabase(database.env)
    await beginEpoch(database.env, 'ahead')
    const org = 'org:ahead'
    const all = [1, 2, 3].map((step) => transaction(lsn(step), insert(org)))
    await store(database.env, 'ahead', all)
    const person = { userId: 'u', audiences: [org] }
    const client = newClient()
    const socket = await connect(person, { client, epoch: 'ahead', cursor: lsn(0) })
    await socket.frame('welcome')
    const before = await runInDurableObject(syncObject(org), (_, { storage }) => [
      ...storage.sql.exec<{ value: string }>('SELECT value FROM state'),
    ])
    await deliver(org, 'ahead', lsn(0), lsn(2), all.slice(0, 2))
    await socket.reaches(lsn(2))
    socket.close()
    // The storage is put back, as if the object had been lost before its writes were kept.
    await runInDurableObject(syncObject(org), (_, { storage }) => {
      storage.sql.exec('DELETE FROM log_change')
      storage.sql.exec('DELETE FROM log_transaction')
      storage.sql.exec('UPDATE state SET value = ?', before[0]?.value ?? '')
    })
    await evictDurableObject(syncObject(org))
    const again = await connect(person, { client, epoch: 'ahead', cursor: lsn(2) })
    await again.frame('welcome')
    await deliver(org, 'ahead', lsn(0), lsn(2), all.slice(0, 2))
    await deliver(org, 'ahead', lsn(2), lsn(3), all.slice(2))
    await again.reaches(lsn(3))
    expect([...socket.ids, ...again.ids]).toEqual(insertedIds(all))
  })

  it('FLT-08 an eviction after every delivery ends in the same state', async () => {
    useDatabase(database.env)
    await beginEpoch(database.env, 'often')
    const org = 'org:often'
    const all = Array.from({ length: 12 }, (_, index) => transaction(lsn(index + 1), insert(org), insert(org)))
    await store(database.env, 'often', all)
    const socket = await follow({ userId: 'u', audiences: [org] }, 'often', lsn(0))
    await socket.frame('welcome')
    for (const [index, one] of all.entries()) {
      await deliver(org, 'often', lsn(index), lsn(index + 1), index % 3 === 2 ? null : [one])
      await evictDurableObject(syncObject(org))
    }
    await socket.reaches(lsn(12))
    expect(socket.ids).toEqual(insertedIds(all))
  })

  it('FLT-08 DIS-R6 evictions while a slow client reads history, mid-transaction, lose and double nothing', async () => {
    useDatabase(database.env)
    await beginEpoch(database.env, 'mid')
    const org = 'org:mid'
    const large = transaction(lsn(1), ...Array.from({ length: 90 }, () => insert(org, 'm'.repeat(900))))
    await store(database.env, 'mid', [large, transaction(lsn(2), insert(org))])
    await replication().stage(stageOf('mid', { routedTo: lsn(2) }))
    const socket = await follow({ userId: 'u', audiences: [org] }, 'mid', lsn(0), { autoAck: false })
    let seen = 0
    while (socket.cursor !== lsn(2)) {
      await socket.until(({ received, cursor }) => received > seen || cursor === lsn(2))
      seen = socket.received
      // Only a running object can be evicted.
      await syncObject(org).health()
      await evictDurableObject(syncObject(org))
      socket.ack()
    }
    expect(socket.transactions.map(({ changes }) => changes.length)).toEqual([90, 1])
    expect(new Set(socket.ids).size).toBe(91)
  })

  const PARTS = 4
  // Each await takes a second or more, so the test runs in parts that even a slow machine ends in time.
  it.each(Array.from({ length: PARTS }, (_, index) => index + 1))(
    'FLT-08 a SyncDO that is gone at any of its awaits, in greeting, gap and delivery, ends in the same state: part %i',
    async (part) => {
      useDatabase(database.env)
      let rounds = 0
      /** Follows as one client from a first hello to the last of five transactions, whatever becomes of the object. */
      async function follows(at: number): Promise<{ points: number; resets: number }> {
        rounds += 1
        const [epoch, org] = [`point${part}-${rounds}`, `org:point${part}-${rounds}`]
        await beginEpoch(database.env, epoch)
        const all = [1, 2, 3, 4, 5].map((step) => transaction(lsn(step), insert(org)))
        await store(database.env, epoch, all)
        const person = { userId: 'u', audiences: [org] }
        const client = newClient()
        const ids: unknown[] = []
        let resets = 0
        const points = await withFailpoints(at, async () => {
          let cursor = lsn(0)
          while (cursor < lsn(5)) {
            const socket = await connect(person, { client, epoch, cursor }).catch(() => null)
            const ended = (test: (cursor: Lsn) => boolean) =>
              socket?.until(({ closed, cursor: reached }) => closed !== null || test(reached ?? lsn(0)))
            // The first comes alone, the third behind a gap that history fills, then the rest; each round repeats them.
            const told = async () => {
              await socket?.until(
                ({ closed, frames }) => closed !== null || frames.some(({ type }) => type === 'welcome'),
              )
              await deliver(org, epoch, lsn(0), lsn(1), all.slice(0, 1))
              await ended((reached) => reached >= lsn(1))
              await deliver(org, epoch, lsn(2), lsn(3), all.slice(2, 3))
              await ended((reached) => reached >= lsn(3))
              await deliver(org, epoch, lsn(3), lsn(5), all.slice(3))
              await ended((reached) => reached >= lsn(5))
            }
            await told().catch(() => {})
            ids.push(...(socket?.ids ?? []))
            cursor = socket?.cursor ?? cursor
            if (cursor < lsn(5)) resets += 1
            socket?.close()
          }
        })
        expect(ids, `reset at ${at}`).toEqual(insertedIds(all))
        return { points, resets }
      }
      const { points, resets } = await follows(0)
      expect(resets).toBe(0)
      expect(points).toBeGreaterThan(20)
      let broken = 0
      for (let at = part; at <= points; at += PARTS) broken += (await follows(at)).resets
      // The last few awaits may come when everything is there already, and then break nothing.
      expect(broken).toBeGreaterThan(points / PARTS / 2)
    },
  )

  it('DIS-10 FLT-11 DIS-R10 a socket that never acknowledges, or never says hello, is closed by alarm', async () => {
    useDatabase(database.env)
    await beginEpoch(database.env, 'stalled')
    const org = 'org:stalled'
    const socket = await follow({ userId: 'u', audiences: [org] }, 'stalled', lsn(0), { autoAck: false })
    await socket.frame('welcome')
    const many = Array.from({ length: 30 }, () => insert(org, 's'.repeat(900)))
    await deliver(org, 'stalled', lsn(0), lsn(1), [transaction(lsn(1), ...many)])
    await runInDurableObject(syncObject(org), (_instance, state) => {
      for (const ws of state.getWebSockets()) {
        const attachment = ws.deserializeAttachment() as SessionState
        expect(attachment.fullSinceMs).not.toBeNull()
        ws.serializeAttachment({ ...attachment, fullSinceMs: 1 })
      }
    })
    await evictDurableObject(syncObject(org))
    await runDurableObjectAlarm(syncObject(org))
    // The client may only have been asleep, so the fault is one after which it connects again.
    expect(await socket.frame('fault')).toMatchObject({ kind: 'unavailable' })
    await socket.until(({ closed }) => closed !== null)
  })
})
