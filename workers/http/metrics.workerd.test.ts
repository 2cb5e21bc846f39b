import { runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ERROR_RULES, LIMITS } from '../../protocol/index.ts'
import { recordMutation } from '../../testing/capture/record-mutation.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { ORG_A, SNAPSHOT_SCHEMA, snapshotSync } from '../../testing/snapshot/snapshot-app.ts'
import { newClient, tokenOf, upgradeHeaders } from '../../testing/workerd/distribution.ts'
import { type MetricFamily, parseMetrics } from '../../testing/workerd/parse-metrics.ts'
import { ADMIN_TOKEN } from '../../testing/workerd/staged.ts'
import { TestSocket } from '../../testing/workerd/test-socket.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import type { ReplicationHealth } from '../contracts.ts'

const { REPLICATION } = env as unknown as Record<'REPLICATION', DurableObjectNamespace>
const worker = (exports as unknown as { default: { fetch(request: Request): Promise<Response> } }).default

const database = useTestDatabase(servers().embedded)
const other = useConnection(database)
beforeAll(async () => {
  useDatabase(database.env)
  await database.install(SNAPSHOT_SCHEMA, snapshotSync)
})
afterAll(async () => {
  await runInDurableObject(REPLICATION.getByName('main'), (_instance, state) => state.storage.deleteAlarm())
})

const ask = (path: string, token: string, init: RequestInit = {}) =>
  worker.fetch(new Request(`https://tidemark.test${path}`, { ...init, headers: { authorization: `Bearer ${token}` } }))
const captureAll = async () =>
  (await ask('/sync/head', await tokenOf({ userId: 'u', audiences: [`org:${ORG_A}`] }))).status
const health = async () => (await ask('/health/replication', ADMIN_TOKEN)).json<ReplicationHealth>()
const metrics = async () => {
  const answer = await ask('/metrics', ADMIN_TOKEN)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  const text = await answer.text()
  return { text, families: parseMetrics(text) }
}
const valueIn = (family: MetricFamily | undefined, labels: Readonly<Record<string, string>> = {}) =>
  Number(
    family?.metrics.find((one) => Object.entries(labels).every(([name, value]) => one.labels?.[name] === value))?.value,
  )

it('OPS-02 OPS-R5 SEC-13 a real Worker tells its figures as Prometheus reads them, with few labels', async () => {
  const client = newClient()
  await other.query(
    `INSERT INTO tidemark.client_status (client_id, version, migration, waiting, retries) VALUES ($1, 1, 'a.sql', 2, 0), ($2, 1, 'b.sql', 0, 3)`,
    [client, newClient()],
  )
  expect(await captureAll()).toBe(200)
  await database.run(
    [
      'BEGIN',
      recordMutation({ client, counter: 1 }),
      `INSERT INTO item (id, org_id) VALUES (1, '${ORG_A}')`,
      'COMMIT',
    ].join('--> statement-breakpoint'),
  )
  await database.run(recordMutation({ client, counter: 2, rejection: { kind: 'conflict', message: 'no' } }))
  expect(await captureAll()).toBe(200)
  expect((await ask('/sync/push', 'not a token', { method: 'POST', body: '{}' })).status).toBe(401)
  expect(
    (await ask(`/sync/snapshot/org:${ORG_A}`, await tokenOf({ userId: 'u', audiences: [`org:${ORG_A}`] }))).status,
  ).toBe(200)
  await expect.poll(async () => valueIn((await metrics()).families.get('tidemark_push_faults_total'))).toBe(1)

  const { text, families } = await metrics()
  for (const { name, help, type, metrics: samples } of families.values()) {
    expect([name, help !== '', ['GAUGE', 'COUNTER'].includes(type)]).toEqual([
      expect.stringMatching(/^tidemark_/),
      true,
      true,
    ])
    expect(name.endsWith('_total')).toBe(type === 'COUNTER')
    for (const { value } of samples) expect(Number.isFinite(Number(value))).toBe(true)
  }
  expect(valueIn(families.get('tidemark_captured_transactions_total'))).toBeGreaterThanOrEqual(2)
  expect(valueIn(families.get('tidemark_mutations_total'), { outcome: 'committed' })).toBe(1)
  expect(valueIn(families.get('tidemark_mutations_total'), { outcome: 'conflict' })).toBe(1)
  expect(valueIn(families.get('tidemark_push_faults_total'), { kind: 'unauthenticated' })).toBe(1)
  expect(valueIn(families.get('tidemark_snapshot_builds_total'), { outcome: 'done' })).toBe(1)
  expect(valueIn(families.get('tidemark_clients'), { version: '1' })).toBe(2)
  expect(valueIn(families.get('tidemark_clients_waiting'))).toBe(1)
  expect(valueIn(families.get('tidemark_check'), { check: 'clients-failing' })).toBe(1)
  const notOk = families.get('tidemark_check')?.metrics.filter(({ value }) => Number(value) > 0)
  expect(notOk?.map(({ labels }) => labels?.check)).toEqual(['clients-failing'])
  expect(valueIn(families.get('tidemark_health'))).toBe(1)

  expect(text).not.toMatch(/client-|org:|aaaaaaaa|\.sql/)
  const known = new Set([
    ...(await health()).checks.map(({ name }) => name),
    ...Object.keys(ERROR_RULES),
    '1',
    'done',
    'failed',
    'committed',
    'conflict',
  ])
  const labels = [...families.values()].flatMap((family) =>
    family.metrics.flatMap(({ labels = {} }) => Object.values(labels)),
  )
  expect(labels.filter((label) => !known.has(label))).toEqual([])
})

it('OPS-R1 OPS-R2 health and metrics show how long after their commit changes were stored and delivered', async () => {
  const token = await tokenOf({ userId: 'u', audiences: [`org:${ORG_A}`] })
  const { webSocket } = await worker.fetch(
    new Request('https://tidemark.test/sync/socket', { headers: upgradeHeaders(token) }),
  )
  if (!webSocket) throw new Error('No socket.')
  const socket = new TestSocket(webSocket)
  const nothing = { epoch: null, cursor: null, definitionVersion: null, definitionHash: null, audiences: [] }
  socket.send({
    type: 'hello',
    protocol: LIMITS.protocolVersion,
    client: newClient(),
    unsettled: false,
    ...nothing,
  })
  await socket.frame('welcome')
  await database.run(`INSERT INTO item (id, org_id, title) VALUES (10, '${ORG_A}', 'x')`)
  expect(await captureAll()).toBe(200)
  await expect.poll(async () => (await health()).figures.deliveredLagMs).toBeGreaterThanOrEqual(0)
  const { figures, checks } = await health()
  expect(figures.storedLagMs).toBeGreaterThanOrEqual(0)
  expect(figures.minutes.at(-1)?.transactions).toBeGreaterThan(0)
  expect(checks.find(({ name }) => name === 'delivered-lag')).toEqual({
    name: 'delivered-lag',
    status: 'ok',
    value: figures.deliveredLagMs,
    threshold: 10_000,
    unit: 'ms',
    message: '',
  })
  const { families } = await metrics()
  expect(valueIn(families.get('tidemark_delivered_lag_seconds'))).toBe((figures.deliveredLagMs ?? -1) / 1_000)
  socket.close()
})
