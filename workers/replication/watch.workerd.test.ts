import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { insertedIds, transactionsOf } from '../../testing/encoded-transactions.ts'
import { createDatabase, type TestDatabase } from '../../testing/postgres/create-database.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { type Listener, type LoneReplicationDO, listener, loneOptions } from '../../testing/workerd/lone-replication.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import type { Delivery } from '../contracts.ts'

const namespace = (env as unknown as { LONE_REPLICATION: DurableObjectNamespace<LoneReplicationDO> }).LONE_REPLICATION
const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org') })
const sync = defineSync({ tables: { item: table(item, { audience: { column: item.org, prefix: 'org' } }) } })
const SCHEMA = 'CREATE TABLE public.item (id int PRIMARY KEY, org text)'
const HOUR_MS = 3_600_000
const IN_A_WAIT = `datname = current_database() AND query LIKE 'CALL tidemark.wait%' AND state = 'active'`

const idsOf = (deliveries: readonly Delivery[]) => insertedIds(transactionsOf(deliveries))

describe.each(['embedded', 'system'] as const)('the ReplicationDO in watch mode with the %s Postgres', (server) => {
  let database: TestDatabase
  let stub: DurableObjectStub<LoneReplicationDO>
  let heard: Listener
  let name: string

  beforeEach(async () => {
    database = await createDatabase(servers()[server])
    await database.install(SCHEMA, sync)
    useDatabase(database.env)
    name = `sync-${database.name}`
    // Plain polling would bring nothing within the life of a test.
    Object.assign(loneOptions, {
      sync,
      slotName: `slot_${database.name}`,
      intervals: { activeMs: HOUR_MS, idleMs: 12 * HOUR_MS, quietMs: HOUR_MS },
      watch: true,
    })
    stub = namespace.getByName(database.name)
    heard = listener(name)
  })
  afterEach(async () => {
    await stub.unsubscribe(name, Number.MAX_SAFE_INTEGER)
    await end()
    await runInDurableObject(stub, async (_, state) => state.storage.deleteAlarm())
    await untilConnections(0)
    await evictDurableObject(stub)
    await database.drop()
  })

  const subscribe = (renewal = false) =>
    stub.subscribe({ subscriber: name, audiences: ['org:a'], version: 1, askedMs: 0, renewal })
  const watchValue = async () => (await stub.health()).checks.find((check) => check.name === 'watch')
  const query = async (statement: string) => {
    const connection = await database.open()
    try {
      return await connection.query(statement)
    } finally {
      await connection.close()
    }
  }
  const connections = async () =>
    Number(
      (
        await query(
          `SELECT count(*)::text AS n FROM pg_stat_activity WHERE datname = current_database()
           AND application_name IN ('tidemark watch', 'tidemark capture')`,
        )
      )[0]?.n,
    )
  const untilConnections = async (count: number) => {
    while ((await connections()) !== count);
  }
  const isWaiting = async () => (await query(`SELECT FROM pg_stat_activity WHERE ${IN_A_WAIT}`)).length > 0
  const untilWaiting = async () => {
    while (!(await isWaiting()));
  }
  /** Ends the wait under way by a record that concerns nobody. */
  const end = () => query(`SELECT pg_logical_emit_message(true, 'test', 'end')`)
  /** Polls in the test's own context, because a promise that an object resolves would go on in the object's. */
  const arrived = async (condition: (deliveries: readonly Delivery[]) => boolean) => {
    while (!condition(heard.deliveries)) await connections()
  }
  const quietFor = (ms: number) =>
    runInDurableObject(stub, async (_, state) => {
      state.storage.sql.exec(`INSERT OR REPLACE INTO memory VALUES ('quiet-since', ?)`, String(Date.now() - ms))
    })
  const alarmInMs = () =>
    runInDurableObject(stub, async (_, state) => ((await state.storage.getAlarm()) ?? Number.NaN) - Date.now())

  test('CAP-R29 a commit of another session arrives without a kick or a poll', async () => {
    await subscribe()
    await untilWaiting()
    expect(await watchValue()).toMatchObject({ status: 'ok', value: 'on' })
    for (const id of [1, 2, 3]) {
      await database.run(`INSERT INTO item VALUES (${id}, 'a')`)
      await arrived((deliveries) => idsOf(deliveries).includes(String(id)))
    }
    expect(idsOf(heard.deliveries)).toEqual(['1', '2', '3'])
    // It waits beyond its own writes.
    await untilWaiting()
  })

  test('CAP-24 CAP-R14 CAP-R25 CAP-R29 pushes and fresh heads beside a wait never find the slot in use', async () => {
    await subscribe()
    await untilWaiting()
    for (let round = 1; round <= 40; round++) {
      await database.run(`INSERT INTO item VALUES (${round}, 'a')`)
      await Promise.all([stub.kick(), round % 4 === 0 ? stub.freshHead(name) : null, stub.kick()])
      expect((await stub.health()).checks.find(({ name }) => name === 'error')).toMatchObject({ status: 'ok' })
      expect(await watchValue()).toMatchObject({ status: 'ok', value: 'on' })
    }
    await arrived((deliveries) => idsOf(deliveries).includes('40'))
    expect(new Set(idsOf(heard.deliveries)).size).toBe(40)
  })

  test('OPS-12 CAP-R27 CAP-R29 after quiet minutes it waits and polls no more, and a lease is renewed without Postgres', async () => {
    await subscribe()
    await untilWaiting()
    await quietFor(8 * HOUR_MS)
    await end()
    await untilConnections(0)
    expect(await watchValue()).toMatchObject({ status: 'ok', value: expect.stringContaining('nothing has happened') })
    await runInDurableObject(stub, async (instance, state) => {
      await state.storage.deleteAlarm()
      await instance.alarm?.()
    })
    await untilConnections(0)
    // Neon sleeps after five minutes without a query.
    expect(await alarmInMs()).toBeGreaterThan(5 * 60_000)
    await evictDurableObject(stub)
    const transactions = async () =>
      (
        await query(
          `SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'tidemark %')::text AS n`,
        )
      )[0]?.n
    const answer = await subscribe(true)
    expect(answer.leaseMs).toBeGreaterThan(5 * 60_000)
    expect(await transactions()).toBe('0')
    expect((await stub.health()).lastCycleAt).toBeNull()
    // A push wakes it.
    await stub.kick()
    await untilWaiting()
  })

  test('OPS-03 CAP-26 CAP-R27 without clients nothing is asked between idle polls, and the slot moves on with each', async () => {
    await subscribe()
    await stub.unsubscribe(name, Number.MAX_SAFE_INTEGER)
    await quietFor(100 * HOUR_MS)
    await end()
    await untilConnections(0)
    const confirmed = async () =>
      (
        await query(
          `SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = 'slot_${database.name}'`,
        )
      )[0]?.lsn
    const before = await confirmed()
    await database.run(`INSERT INTO item VALUES (1, 'a')`)
    await evictDurableObject(stub)
    await quietFor(100 * HOUR_MS)
    await runInDurableObject(stub, async (instance, state) => {
      await state.storage.deleteAlarm()
      await instance.alarm?.()
    })
    expect(await confirmed()).not.toBe(before)
    await quietFor(100 * HOUR_MS)
    await runInDurableObject(stub, async (instance, state) => {
      await state.storage.deleteAlarm()
      await instance.alarm?.()
    })
    expect(await alarmInMs()).toBeGreaterThan(11 * HOUR_MS)
    await untilConnections(0)
  })

  test('FLT-08 CAP-R26 CAP-R29 an alarm stands behind every wait, and takes over from one that was cut', async () => {
    await subscribe()
    await untilWaiting()
    expect(await alarmInMs()).toBeLessThan(20_000)
    // Between two waits the connection is idle, and its loss is no obstacle: so the cut is repeated until one is seen.
    do await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${IN_A_WAIT}`)
    while (!(await watchValue())?.message.includes('cut'))
    await database.run(`INSERT INTO item VALUES (1, 'a')`)
    await runInDurableObject(stub, async (instance) => instance.alarm?.())
    await arrived((deliveries) => idsOf(deliveries).includes('1'))
    // A moment later it may wait again; until then only a kick makes it.
    do await stub.kick()
    while (!(await isWaiting()))
  })

  test('CAP-R29 without the procedure it polls plainly and health says so', async () => {
    await query('DROP PROCEDURE tidemark.wait_for_wal')
    await subscribe()
    while ((await watchValue())?.status !== 'warn');
    expect((await watchValue())?.message).toMatch(/tidemark migrate/)
    await database.run(`INSERT INTO item VALUES (1, 'a')`)
    await runInDurableObject(stub, async (instance) => instance.alarm?.())
    await arrived((deliveries) => idsOf(deliveries).includes('1'))
  })
})
