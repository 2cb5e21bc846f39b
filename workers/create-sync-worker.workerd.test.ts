import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LIMITS, type Lsn, type Manifest, manifestSchema, SUBPROTOCOL } from '../protocol/index.ts'
import { servers } from '../testing/postgres/servers.ts'
import { useTestDatabase } from '../testing/postgres/use-test-database.ts'
import { ORG_A, ORG_B, SNAPSHOT_SCHEMA, snapshotSync } from '../testing/snapshot/snapshot-app.ts'
import { newClient, tokenOf, upgradeHeaders } from '../testing/workerd/distribution.ts'
import { ADMIN_TOKEN } from '../testing/workerd/staged.ts'
import { TestSocket } from '../testing/workerd/test-socket.ts'
import { useDatabase } from '../testing/workerd/worker.ts'

const database = useTestDatabase(servers().embedded)
beforeAll(async () => {
  useDatabase(database.env)
  await database.install(SNAPSHOT_SCHEMA, snapshotSync)
  await database.run(`INSERT INTO item (id, org_id, title) VALUES (1, '${ORG_A}', 'one'), (2, '${ORG_B}', 'two')`)
})
afterAll(async () => {
  const { REPLICATION } = env as unknown as { REPLICATION: DurableObjectNamespace }
  await runInDurableObject(REPLICATION.getByName('main'), (_instance, state) => state.storage.deleteAlarm())
})

const worker = (exports as unknown as { default: { fetch(request: Request): Promise<Response> } }).default
const ask = (path: string, headers: Record<string, string> = {}) =>
  worker.fetch(new Request(`https://tidemark.test${path}`, { headers }))

it('DIS-01 SNP-01 SEC-10 OUT-24 a whole Worker: hydrate, stream, settle, over real capture and snapshots', async () => {
  const token = await tokenOf({ userId: 'u', audiences: [`org:${ORG_A}`] })
  const bearer = { authorization: `Bearer ${token}` }
  const upgrade = await ask('/sync/socket', upgradeHeaders(token))
  expect(upgrade.headers.get('sec-websocket-protocol')).toBe(SUBPROTOCOL)
  if (!upgrade.webSocket) throw new Error(`No socket: ${upgrade.status}`)
  const socket = new TestSocket(upgrade.webSocket)
  socket.send({
    type: 'hello',
    protocol: LIMITS.protocolVersion,
    client: newClient(),
    epoch: null,
    cursor: null,
    definitionVersion: null,
    definitionHash: null,
    audiences: [],
    unsettled: false,
  })
  const welcome = await socket.frame('welcome')
  expect(welcome).toMatchObject({ resume: 'hydrate', reason: 'new', audiences: [`org:${ORG_A}`] })

  const answer = await ask(`/sync/snapshot/org:${ORG_A}`, bearer)
  const manifest: Manifest = manifestSchema.parse(await answer.json())
  expect(manifest).toMatchObject({ epoch: welcome.epoch, definitionHash: welcome.definitionHash })
  const chunkId = manifest.tables.find(({ rows }) => rows > 0)?.chunks[0]?.id ?? ''
  const chunk = await ask(`/sync/snapshot/org:${ORG_A}/${chunkId}`, bearer)
  const text = await new Response(chunk.body?.pipeThrough(new DecompressionStream('gzip'))).text()
  expect(text).toContain('one')
  expect(text).not.toContain('two')
  expect((await ask(`/sync/snapshot/org:${ORG_B}`, bearer)).status).toBe(404)
  // The same user with fewer audiences, at the address of a chunk that is there.
  const fewer = { authorization: `Bearer ${await tokenOf({ userId: 'u', audiences: [`org:${ORG_B}`] })}` }
  const refused = await ask(`/sync/snapshot/org:${ORG_A}/${chunkId}`, fewer)
  expect([chunk.status, refused.status, await refused.json()]).toMatchObject([200, 404, { kind: 'not-found' }])
  expect((await ask(`/sync/snapshot/org:${ORG_B}/${chunkId}`, fewer)).status).toBe(404)

  socket.cursor = manifest.start
  socket.send({ type: 'stream', epoch: manifest.epoch, from: manifest.start })
  const settle = async () => {
    const { lsn } = await (await ask('/sync/head', bearer)).json<{ lsn: Lsn }>()
    await socket.reaches(lsn)
  }
  await settle()
  expect(socket.cursor ?? '' >= manifest.fence).toBeTruthy()
  await database.run(`INSERT INTO item (id, org_id, title) VALUES (3, '${ORG_A}', 'three'), (4, '${ORG_B}', 'four')`)
  await settle()
  expect(socket.ids).toEqual(['3'])

  const { SYNC } = env as unknown as { SYNC: DurableObjectNamespace }
  await evictDurableObject(SYNC.getByName(`org:${ORG_A}`))
  // Nobody asks: capture finds it by itself.
  await database.run(`UPDATE item SET org_id = '${ORG_A}' WHERE id = 4`)
  await socket.until(({ ids }) => ids.length === 2)
  expect(socket.ids).toEqual(['3', '4'])
  expect(await (await ask('/health')).json()).toEqual({ status: 'up' })
  const health = await ask(`/health/sync?object=org:${ORG_A}`, { authorization: `Bearer ${ADMIN_TOKEN}` })
  expect(await health.json()).toMatchObject({ status: 'ok', sockets: 1, epoch: manifest.epoch })
  socket.close()
})
