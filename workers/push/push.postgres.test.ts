import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../../testing/postgres/create-database.ts'
import { ORG_A, ORG_B, PUSH_SCHEMA, pushSync } from '../../testing/push/push-app.ts'
import { deleteOf, insertOf, type SendPush, TestClient, updateOf } from '../../testing/push/test-client.ts'
import type { Database } from '../database/index.ts'
import type { SyncEnv } from '../env.ts'
import { receivePush } from './push.ts'

const TASK = 'public.task'
let owned: TestDatabase
let database: Database
let send: SendPush

beforeAll(async () => {
  owned = await createDatabase(inject('servers').system)
  await owned.install(PUSH_SCHEMA, pushSync)
  database = await owned.open()
  // Nothing but the database is asked for.
  const env = owned.env as unknown as SyncEnv
  send = (body, { userId, audiences }) =>
    receivePush({ sync: pushSync }, env, { userId, audiences, claims: {}, expiresAtMs: null, syncName: 'x' }, body)
})
afterAll(async () => {
  await database?.close()
  await owned?.drop()
})

let client: TestClient
let id: string
beforeEach(async () => {
  client = new TestClient(send)
  id = randomUUID()
  await database.query(
    `INSERT INTO public.task (id, org_id, title, points, detail, slug, secret) VALUES ($1::uuid, $2, 'one', 1.00, '{"a":1,"b":2}', 'slug-' || $1::text, $3)`,
    [id, ORG_A, `secret-${id}`],
  )
})
const taskRow = async (key = id) => (await database.query(`SELECT * FROM public.task WHERE id = $1`, [key]))[0]

describe('patches', () => {
  it('OUT-01 CON-01 inserts, updates of other fields and deletes', async () => {
    const own = randomUUID()
    expect(
      await client.settle(
        client.patch([insertOf(TASK, { id: own, org_id: ORG_A, title: 'mine', state: 'open', points: '2' })]),
        client.patch([updateOf(TASK, id, { title: ['two', 'one'] })]),
        client.patch([updateOf(TASK, id, { points: ['3', '1.00'] }), deleteOf(TASK, own)]),
      ),
    ).toEqual(['committed', 'committed', 'committed'])
    expect(await taskRow()).toMatchObject({ title: 'two', points: '3.00' })
    expect(await taskRow(own)).toBeUndefined()
  })
  it('CON-02 refuses', async () => {
    const other = new TestClient(send)
    await other.settle(other.patch([updateOf(TASK, id, { title: ['theirs', 'one'] })]))
    expect(
      await client.settle(client.patch([updateOf(TASK, id, { title: ['mine', 'one'], state: ['done', 'open'] })])),
    ).toMatchObject([{ kind: 'conflict', columns: ['title'] }])
    expect(ORG_B).not.toBe(ORG_A)
  })
})
