import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { defineSync, table } from '../../db/index.ts'
import { recordMutation } from '../../testing/capture/record-mutation.ts'
import { insertedIds, transactionsOf } from '../../testing/encoded-transactions.ts'
import { createDatabase, type TestDatabase } from '../../testing/postgres/create-database.ts'
import { servers } from '../../testing/postgres/servers.ts'
import {
  type Listener,
  type LoneReplicationDO,
  listener,
  loneEnv,
  loneOptions,
} from '../../testing/workerd/lone-replication.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import type { Delivery } from '../contracts.ts'

const namespace = (env as unknown as { LONE_REPLICATION: DurableObjectNamespace<LoneReplicationDO> }).LONE_REPLICATION
const item = pgTable('item', { id: integer('id').primaryKey(), org: text('org') })
const sync = defineSync({ tables: { item: table(item, { audience: { column: item.org, prefix: 'org' } }) } })
const SCHEMA = 'CREATE TABLE public.item (id int PRIMARY KEY, org text)'
const HOUR_MS = 3_600_000

const rowsOf = (deliveries: readonly Delivery[]) => insertedIds(transactionsOf(deliveries))

describe.each(['embedded', 'system'] as const)('the ReplicationDO with the %s Postgres', (server) => {
  let database: TestDatabase
  let stub: DurableObjectStub<LoneReplicationDO>
  let heard: Listener
  let name: string

  beforeEach(async () => {
    database = await createDatabase(servers()[server])
    await database.install(SCHEMA, sync)
    useDatabase(database.env)
    name = `sync-${database.name}`
    // The pauses are long, so that cycles run only when a test asks for them.
    Object.assign(loneOptions, {
      sync,
      slotName: `slot_${database.name}`,
      intervals: { activeMs: HOUR_MS, idleMs: HOUR_MS },
      watch: false,
    })
    stub = namespace.getByName(database.name)
    heard = listener(name)
  })
  afterEach(async () => {
    await runInDurableObject(stub, async (_, state) => state.storage.deleteAlarm())
    await evictDurableObject(stub)
    await database.drop()
  })

  const subscribe = (audiences = ['org:a'], version = 1) =>
    stub.subscribe({ subscriber: name, audiences, version, askedMs: 0 })

  test('FLT-01 CAP-R20 a subscriber gets what its audiences saw, from the LSN it was answered', async () => {
    const answer = await subscribe()
    await database.run(`INSERT INTO item VALUES (1, 'a'), (2, 'b')`)
    const fresh = await stub.freshHead(name)
    await heard.until((deliveries) => deliveries.some(({ to }) => to >= fresh.lsn))
    expect(heard.deliveries[0]).toMatchObject({ epoch: answer.epoch, version: 1, from: answer.routedTo })
    expect(rowsOf(heard.deliveries)).toEqual(['1'])
    for (const [index, delivery] of heard.deliveries.entries()) {
      if (index > 0) expect(delivery.from).toBe(heard.deliveries[index - 1]?.to)
    }
    expect((await stub.health()).head).toBe(fresh.lsn)
  })

  test('OPS-R25 health never calls a cycle overdue while a run ends and arms the next', async () => {
    await subscribe()
    const statuses = await runInDurableObject(stub, async (object, state) => {
      // An alarm that runs has been taken away.
      await state.storage.deleteAlarm()
      const seen = new Set<string>()
      let ended = false
      const alarm = Promise.resolve(object.alarm?.()).finally(() => {
        ended = true
      })
      while (!ended) {
        const { checks } = await (object as unknown as LoneReplicationDO).health()
        seen.add(checks.find(({ name }) => name === 'cycle')?.status ?? 'none')
        // The run needs turns of its own to come to its end.
        await new Promise((resolve) => setTimeout(resolve))
      }
      await alarm
      return [...seen]
    })
    expect(statuses).toEqual(['ok'])
  })

  test('CAP-R25 a fresh head covers every commit made before it was asked for, shared by those who ask at once', async () => {
    await subscribe()
    await database.run(`INSERT INTO item VALUES (1, 'a')`)
    const heads = await Promise.all([stub.freshHead(name), stub.freshHead(null), stub.freshHead(name)])
    const [row] = await query(`SELECT lsn::text AS lsn FROM tidemark.change_history WHERE operation = 'insert'`)
    expect(row).toBeDefined()
    for (const head of heads) {
      const [covered] = await query(
        `SELECT ($1::pg_lsn >= lsn)::text AS covered FROM tidemark.change_history WHERE operation = 'insert'`,
        [`${head.lsn.slice(0, 8)}/${head.lsn.slice(8)}`],
      )
      expect(covered?.covered).toBe('true')
    }
  })

  test('SCH-R8 a captured version is answered to those who are below it, at its commit', async () => {
    await subscribe()
    const { epoch, definitionVersion: from } = await stub.definition()
    expect(await stub.migrations(from)).toEqual({ epoch, versions: [] })
    const other = pgTable('other', { id: integer('id').primaryKey() })
    const more = defineSync({ tables: { item: sync.tables.item, other: table(other, { audience: 'all' }) } })
    const { version, hash, definition } = await database.install('CREATE TABLE public.other (id int PRIMARY KEY)', more)
    const { lsn } = await stub.freshHead(null)
    const answer = await stub.migrations(from)
    expect(answer).toMatchObject({ epoch, versions: [{ version, hash, definition, steps: [] }] })
    expect((answer.versions[0]?.lsn ?? '') <= lsn).toBe(true)
  })

  test('CAP-R21 one delivery is in flight; the rest shrinks to a notice', async () => {
    await subscribe()
    let release: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    heard.answer = async ({ epoch, to }) => {
      await held
      return { epoch, head: to }
    }
    for (const id of [1, 2, 3]) {
      await database.run(`INSERT INTO item VALUES (${id}, 'a')`)
      await stub.freshHead(null)
    }
    expect(heard.deliveries).toHaveLength(1)
    heard.answer = async ({ epoch, to }) => ({ epoch, head: to })
    release()
    const { lsn } = await stub.freshHead(null)
    await heard.until((deliveries) => deliveries.length > 1)
    expect(heard.deliveries[1]).toMatchObject({ from: heard.deliveries[0]?.to, transactions: null })
    expect(heard.deliveries[1]?.to).toBeDefined()
    expect(lsn >= (heard.deliveries[1]?.to ?? '')).toBe(true)
  })

  test('FLT-01 FLT-08 CAP-R21 a head that was not acknowledged is sent again after an eviction', async () => {
    await subscribe()
    heard.answer = async () => {
      throw new Error('gone')
    }
    await database.run(`INSERT INTO item VALUES (1, 'a')`)
    await stub.freshHead(null)
    await heard.until((deliveries) => deliveries.length === 1)
    await runInDurableObject(stub, async (instance) => instance.alarm?.())
    await evictDurableObject(stub)
    heard.answer = async ({ epoch, to }) => ({ epoch, head: to })
    const before = heard.deliveries.length
    await runDurableObjectAlarm(stub)
    await heard.until((deliveries) => deliveries.length > before)
    expect(heard.deliveries.at(-1)).toMatchObject({ transactions: null })
  })

  test('FLT-08 CAP-R20 subscriptions outlive an eviction', async () => {
    await subscribe()
    await evictDurableObject(stub)
    await database.run(`INSERT INTO item VALUES (1, 'a')`)
    const { lsn } = await stub.freshHead(null)
    await heard.until((deliveries) => deliveries.some(({ to }) => to >= lsn))
    const again = await subscribe()
    expect(again.routedTo >= lsn).toBe(true)
  })

  test('CAP-R20 an outdated request is refused, and an outdated goodbye ends nothing', async () => {
    await subscribe(['org:a'], 3)
    const outdated = { subscriber: name, audiences: ['org:a', 'org:b'], version: 2, askedMs: 0 }
    const refused = await runInDurableObject(stub, (instance) =>
      instance.subscribe(outdated).catch((fault) => fault.kind),
    )
    expect(refused).toBe('unavailable')
    await stub.unsubscribe(name, 3)
    await database.run(`INSERT INTO item VALUES (1, 'a')`)
    const { lsn } = await stub.freshHead(null)
    await heard.until((deliveries) => deliveries.some(({ to }) => to >= lsn))
  })

  test('CAP-R20 an audience that joins is answered the LSN from which deliveries hold it', async () => {
    await subscribe()
    await database.run(`INSERT INTO item VALUES (1, 'b')`)
    await stub.freshHead(name)
    const answer = await subscribe(['org:a', 'org:b'], 2)
    await database.run(`INSERT INTO item VALUES (2, 'b')`)
    await stub.freshHead(name)
    await heard.until((deliveries) => rowsOf(deliveries).includes('2'))
    expect(rowsOf(heard.deliveries)).toEqual(['2'])
    expect(heard.deliveries.find(({ version }) => version === 2)?.from).toBe(answer.routedTo)
  })

  test('CAP-R33 SEC-04 FLT-08 a client that joins costs no query and no delivery, and is told its own mutations', async () => {
    await subscribe()
    await database.run(`INSERT INTO item VALUES (1, 'b')`)
    const { lsn } = await stub.freshHead(null)
    const asked = { subscriber: name, version: 1, askedMs: 1, renewal: true }
    for (const evicted of [false, true]) {
      if (evicted) await evictDurableObject(stub)
      const client = `client-of-the-tests-${evicted}`
      const before = await runInDurableObject(stub, async (_, state) => {
        await state.storage.deleteAlarm()
        return heard.deliveries.length
      })
      const answer = await stub.subscribe({ ...asked, audiences: ['org:a', `client:${client}`] })
      expect(answer.capturedTo >= lsn).toBe(true)
      expect(answer.routedTo <= answer.capturedTo).toBe(true)
      const [connected] = await query(
        `SELECT count(*)::text AS count FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tidemark capture'`,
      )
      if (evicted) expect(connected?.count).toBe('0')
      expect(heard.deliveries.length).toBe(before)
      await database.run(recordMutation({ client: 'client-of-someone-else', counter: 1 }))
      await database.run(recordMutation({ client, counter: 7 }))
      await stub.freshHead(name)
      const own = () => transactionsOf(heard.deliveries.slice(before))
      if (!evicted) {
        await heard.until(() => own().length > 0)
        expect(own()).toMatchObject([{ changes: [], mutation: { client, counter: 7 } }])
        expect(own()).toHaveLength(1)
      } else {
        // A transaction that was not told before the eviction is announced by a head, whose gap is read.
        await heard.until((deliveries) => deliveries.length > before)
        expect(own().every(({ mutation }) => mutation?.client === client)).toBe(true)
      }
    }
  })

  test('FLT-06 CAP-R26 the watchdog arms an alarm that was lost; an alarm always arms the next', async () => {
    await subscribe()
    await runInDurableObject(stub, async (_, state) => state.storage.deleteAlarm())
    const armed = () => runInDurableObject(stub, async (_, state) => state.storage.getAlarm())
    await stub.ensureAlarm()
    // The alarm is due at once, and arms the next when it has run.
    while ((await armed()) === null);
    await runInDurableObject(stub, async (instance) => instance.alarm?.())
    expect(await armed()).not.toBeNull()
  })

  test('FLT-05 FLT-06 CAP-27 CAP-R26 a cycle that fails is red in health, arms the next, and heals', async () => {
    await subscribe()
    await query(
      `ALTER TABLE tidemark.change_history ADD CONSTRAINT broken CHECK (table_name <> 'public.item') NOT VALID`,
    )
    await database.run(`INSERT INTO item VALUES (1, 'a')`)
    await runInDurableObject(stub, async (instance) => instance.alarm?.())
    const red = await stub.health()
    expect(red.status).toBe('fail')
    expect(red.checks.find((check) => check.name === 'error')?.message).toContain('broken')
    // A new object has not seen the failure, and reports it all the same.
    await evictDurableObject(stub)
    const evicted = await stub.health()
    expect(evicted.status).toBe('fail')
    expect(evicted.checks.find((check) => check.name === 'error')?.message).toMatch(/broken.*1 cycles in a row/)
    await query('ALTER TABLE tidemark.change_history DROP CONSTRAINT broken')
    await runInDurableObject(stub, async (instance) => instance.alarm?.())
    expect((await stub.health()).status).toBe('ok')
  })

  test('OPS-06 OPS-R6 the webhook is told of a failing cycle once, also by another instance, and once of its healing', async () => {
    Object.assign(loneEnv, { HEALTH_WEBHOOK_URL: 'https://hooks.example/told', HEALTH_WEBHOOK_SECRET: 'secret' })
    const told: string[] = []
    const { fetch: through } = globalThis
    // The runtime of the tests reaches no host that speaks TLS.
    const network = vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      if (input !== 'https://hooks.example/told') return through(input, init)
      told.push(JSON.parse(String(init?.body)).status)
      return new Response()
    })
    try {
      const alarm = () => runInDurableObject(stub, async (instance) => instance.alarm?.())
      await subscribe()
      await alarm()
      await query(
        `ALTER TABLE tidemark.change_history ADD CONSTRAINT broken CHECK (table_name <> 'public.item') NOT VALID`,
      )
      await database.run(`INSERT INTO item VALUES (1, 'a')`)
      await alarm()
      await stub.ensureAlarm()
      await expect.poll(() => told, { timeout: 60_000 }).toEqual(['fail'])
      await alarm()
      await evictDurableObject(stub)
      await alarm()
      await stub.ensureAlarm()
      expect(told).toEqual(['fail'])
      await query('ALTER TABLE tidemark.change_history DROP CONSTRAINT broken')
      // A minute after the last notice the next one is due.
      await runInDurableObject(stub, (_, state) => {
        state.storage.sql.exec(`UPDATE memory SET value = json_set(value, '$.toldAtMs', 0) WHERE name = 'notice'`)
      })
      await evictDurableObject(stub)
      await alarm()
      await stub.ensureAlarm()
      await stub.ensureAlarm()
      await expect.poll(() => told, { timeout: 60_000 }).toEqual(['fail', 'ok'])
    } finally {
      network.mockRestore()
      for (const name of Object.keys(loneEnv)) delete loneEnv[name as keyof typeof loneEnv]
    }
  })

  test('CAP-24 CAP-R14 callers share one cycle at a time', async () => {
    await subscribe()
    await database.run(`INSERT INTO item SELECT g, 'a' FROM generate_series(1, 5000) g`)
    await Promise.all([
      ...Array.from({ length: 5 }, () => stub.freshHead(null)),
      stub.kick(),
      runInDurableObject(stub, async (instance) => instance.alarm?.()),
    ])
    const [row] = await query(`SELECT count(*)::text AS rows FROM tidemark.change_history WHERE operation = 'insert'`)
    expect(row?.rows).toBe('5000')
    expect((await stub.health()).checks.find(({ name: check }) => check === 'error')?.status).toBe('ok')
  })

  test('CAP-26 CAP-R27 no connection stays open while capture is idle', async () => {
    await subscribe()
    await stub.unsubscribe(name, 2)
    await runInDurableObject(stub, async (instance) => instance.alarm?.())
    const open = async () =>
      (
        await query(
          `SELECT count(*)::text AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tidemark capture'`,
        )
      )[0]?.n
    // The server notices a closed connection a moment later.
    while ((await open()) !== '0');
  })

  test('CAP-23 CAP-R22 health names the decoder and why', async () => {
    await subscribe()
    const health = await stub.health()
    expect(health.decoder).toBe(server === 'system' ? 'wal2json' : 'pgoutput')
    expect(health.decoderReason).toMatch(/wal2json/)
  })

  async function query(statement: string, params: string[] = []) {
    const connection = await database.open()
    try {
      return await connection.query(statement, params)
    } finally {
      await connection.close()
    }
  }
})
