import { env as bindings } from 'cloudflare:workers'
import { beforeAll, expect, it } from 'vitest'
import { LIMITS, type Lsn, outcomesAnswerSchema, pushAnswerSchema, ZERO_LSN } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { ORG_A, PUSH_SCHEMA, pushSync } from '../../testing/push/push-app.ts'
import { type Author, TestClient } from '../../testing/push/test-client.ts'
import { beginEpoch, lsn, store, tokenOf } from '../../testing/workerd/distribution.ts'
import { access, stagedEnv } from '../../testing/workerd/staged.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import { withDatabase } from '../database/index.ts'
import { createSyncWorker } from '../index.ts'

const database = useTestDatabase(servers().embedded)
beforeAll(async () => {
  useDatabase(database.env)
  await database.install(PUSH_SCHEMA, pushSync)
})

const { worker } = createSyncWorker(pushSync, access)
async function ask(path: string, who: Author, body: unknown): Promise<unknown> {
  const headers = { authorization: `Bearer ${await tokenOf(who)}` }
  const request = new Request(`https://tidemark.test${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  return (await worker.fetch(request, stagedEnv(bindings))).json()
}
const query = (text: string, params?: (string | null)[]) => withDatabase(database.env, (one) => one.query(text, params))

const ann: Author = { userId: 'ann', audiences: [`org:${ORG_A}`] }
const send = async (body: unknown, who: Author) => pushAnswerSchema.parse(await ask('/sync/push', who, body))
const outcomesOf = async (client: TestClient, counters: number[]) => {
  const body = { protocol: LIMITS.protocolVersion, client: client.id, counters }
  return outcomesAnswerSchema.parse(await ask('/sync/outcomes', ann, body))
}
/** Stores the mutation's own row as capture does. */
async function capture(epoch: string, client: TestClient, counter: number, at: Lsn): Promise<void> {
  const key = { client_id: client.id, counter: String(counter) }
  const change = { op: 'insert' as const, table: 'tidemark.mutation', audience: `client:${client.id}`, data: key }
  await store(database.env, epoch, [{ lsn: at, xid: '7', committedAt: '2026-01-02T03:04:05Z', changes: [change] }])
  await query(
    `UPDATE tidemark.change_history SET operation = 'mutation', client_id = $1, mutation_id = $1 || ':' || $2 WHERE epoch = $3 AND data->>'counter' = $2 AND data->>'client_id' = $1`,
    [client.id, String(counter), epoch],
  )
}

it('OUT-04 PSH-R13 says what became of mutations, and at which commit of this epoch', async () => {
  await beginEpoch(database.env, 'first')
  const client = new TestClient(send, ann)
  client.counter = 100
  expect(await outcomesOf(client, [101, 102])).toEqual({ epoch: 'first', outcomes: [] })
  const settled = await client.decide(
    client.action('book', { org: ORG_A, amounts: [1] }),
    client.action('book', { org: ORG_A, amounts: [-1] }),
    client.action('book', { org: ORG_A, amounts: [2] }),
  )
  expect(settled).toMatchObject(['committed', { kind: 'refused' }, 'committed'])
  await capture('first', client, 101, lsn(10))
  await capture('first', client, 102, lsn(20))
  const answer = await outcomesOf(client, [101, 102, 103, 104])
  expect(answer).toEqual({
    epoch: 'first',
    outcomes: [
      { outcome: { counter: 101, status: 'committed' }, lsn: lsn(10) },
      { outcome: { counter: 102, status: 'rejected', rejection: settled[1] }, lsn: lsn(20) },
      // All that is decided is captured by now, so it lies before this epoch or is pruned.
      { outcome: { counter: 103, status: 'committed' }, lsn: ZERO_LSN },
    ],
  })
  await beginEpoch(database.env, 'second')
  client.acknowledged = 101
  await client.decide()
  expect(await outcomesOf(client, [101, 102])).toMatchObject({
    epoch: 'second',
    outcomes: [
      { outcome: { counter: 102, status: 'rejected' }, lsn: ZERO_LSN },
      { outcome: { counter: 101, status: 'settled' }, lsn: ZERO_LSN },
    ],
  })
})
