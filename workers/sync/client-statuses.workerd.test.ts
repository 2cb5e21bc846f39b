import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { beforeAll, describe, expect, it } from 'vitest'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { beginEpoch, follow, lsn, newClient, replication, syncObject } from '../../testing/workerd/distribution.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import { withDatabase } from '../database/index.ts'

const database = useTestDatabase(servers().system)
beforeAll(() => {
  useDatabase(database.env)
})

const stored = (clients: readonly string[]) =>
  withDatabase(database.env, ({ query }) =>
    query(
      `SELECT client_id, version::text, migration, waiting::text, fault, retries::text, xmin::text AS made FROM tidemark.client_status
       WHERE client_id IN (SELECT jsonb_array_elements_text($1::jsonb)) ORDER BY client_id`,
      [JSON.stringify(clients)],
    ),
  )

describe.each([
  ['', async () => {}],
  [' after eviction', async (name: string) => evictDurableObject(syncObject(name))],
] as const)('what clients say of their schema%s', (title, pause) => {
  const tag = title === '' ? 'a' : 'b'

  it(`MIG-10 MIG-R8 is stored once for all that said it, and again only where it is new${title}`, async () => {
    const epoch = `e10${tag}`
    await beginEpoch(database.env, epoch)
    const org = `org:m10${tag}`
    const clients = [newClient(), newClient()]
    const [first, second] = await Promise.all(
      clients.map((client) =>
        follow({ userId: 'u', audiences: [org] }, epoch, lsn(0), { client, migration: '0001.sql' }),
      ),
    )
    first?.send({ type: 'schema', version: 1, waiting: 0, fault: null, retries: 0 })
    second?.send({
      type: 'schema',
      version: 1,
      waiting: 2,
      fault: 'half of a character \ud800 and a NUL \0',
      retries: 3,
    })
    await pause(org)
    await expect.poll(() => stored(clients), { timeout: 60_000 }).toHaveLength(2)
    const [a, b] = await stored(clients)
    expect(a).toMatchObject({ version: '1', migration: '0001.sql', waiting: '0', fault: null, retries: '0' })
    expect(b).toMatchObject({ version: '1', waiting: '2', fault: 'half of a character  and a NUL ', retries: '3' })
    first?.send({ type: 'schema', version: 1, waiting: 0, fault: null, retries: 0 })
    second?.send({ type: 'schema', version: 2, waiting: 0, fault: null, retries: 0 })
    await expect
      .poll(async () => (await stored(clients))[1], { timeout: 60_000 })
      .toMatchObject({ version: '2', fault: null, retries: '0' })
    expect((await stored(clients))[0]).toEqual(a)
  })
})

it('MIG-10 MIG-R8 SEC-12 a status that no row could hold keeps nobody else’s from being stored; none holds what a terminal obeys', async () => {
  const epoch = 'e10c'
  await beginEpoch(database.env, epoch)
  const clients = [newClient(), newClient()].sort()
  const [hostile, other] = await Promise.all(
    clients.map((client) => follow({ userId: 'u', audiences: ['org:m10c'] }, epoch, lsn(0), { client })),
  )
  hostile?.send({ type: 'schema', version: 1, waiting: 3_000_000_000, fault: null, retries: 3_000_000_000 })
  other?.send({ type: 'schema', version: 1, waiting: 0, fault: 'no type\n\u001b[2Jx', retries: 0 })
  await expect
    .poll(() => stored(clients), { timeout: 60_000 })
    .toMatchObject([{ waiting: '2147483647', retries: '2147483647' }, { fault: 'no type [2Jx' }])
})

it('MIG-10 MIG-R8 a status that stays is told again before it would be taken for gone', async () => {
  const epoch = 'e10d'
  await beginEpoch(database.env, epoch)
  const client = newClient()
  const replica = await follow({ userId: 'u', audiences: ['org:m10d'] }, epoch, lsn(0), { client })
  const status = { type: 'schema', version: 1, waiting: 0, fault: null, retries: 0 } as const
  replica.send(status)
  await expect.poll(() => stored([client]), { timeout: 60_000 }).toHaveLength(1)
  await withDatabase(database.env, ({ query }) =>
    query(`UPDATE tidemark.client_status SET told_at = now() - interval '29 days' WHERE client_id = $1`, [client]),
  )
  await runInDurableObject(syncObject('org:m10d'), (_, state) => {
    state.storage.sql.exec(`UPDATE client_status SET status = json_set(status, '$.week', 1) WHERE id = ?`, client)
  })
  replica.send(status)
  const isRecent = () =>
    withDatabase(database.env, ({ query }) =>
      query(
        `SELECT (told_at > now() - interval '1 day')::text AS recent FROM tidemark.client_status WHERE client_id = $1`,
        [client],
      ),
    )
  await expect.poll(isRecent, { timeout: 60_000 }).toEqual([{ recent: 'true' }])
})

it('OPS-R7 what clients could not send is in the health of their SyncDO, and goes along with its lease', async () => {
  const epoch = 'e10u'
  await beginEpoch(database.env, epoch)
  const org = 'org:m10u'
  const [late, refused] = await Promise.all(
    ['u', 'v'].map((userId) => follow({ userId, audiences: [org] }, epoch, lsn(0))),
  )
  const check = async () => (await syncObject(org).health()).checks.find(({ name }) => name === 'unsent-work')
  expect(await check()).toMatchObject({ status: 'ok', value: null })
  late?.send({ type: 'unsent', count: 3, oldestMs: 7_200_000, failed: 0 })
  refused?.send({ type: 'unsent', count: 0, oldestMs: null, failed: 1 })
  await expect.poll(check, { timeout: 60_000 }).toMatchObject({
    status: 'warn',
    unit: 'ms',
    message: expect.stringContaining('Work of 1 connected clients'),
  })
  await evictDurableObject(syncObject(org))
  expect((await check())?.value).toBeGreaterThanOrEqual(7_200_000)
  // A client that comes prolongs the lease.
  await follow({ userId: 'w', audiences: [org] }, epoch, lsn(0))
  const told = async () => (await replication().asked(org)).requests.at(-1)?.unsent
  await expect.poll(told, { timeout: 60_000 }).toMatchObject({ lateClients: 1, failedClients: 1 })
  late?.send({ type: 'unsent', count: 0, oldestMs: null, failed: 0 })
  await expect.poll(check, { timeout: 60_000 }).toMatchObject({ status: 'ok', value: null })
})
