import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LIMITS } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useConnection, useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { ORG_A, SNAPSHOT_SCHEMA, snapshotSync } from '../../testing/snapshot/snapshot-app.ts'
import { newClient, tokenOf, upgradeHeaders } from '../../testing/workerd/distribution.ts'
import { ADMIN_TOKEN } from '../../testing/workerd/staged.ts'
import { TestSocket } from '../../testing/workerd/test-socket.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import type { ReplicationHealth } from '../contracts.ts'
import type { LoggedAction, ReplicationOperations, SyncOperations } from '../operations-contract.ts'
import { sealSession } from './session-cookie.ts'

const { REPLICATION, SYNC } = env as unknown as Record<'REPLICATION' | 'SYNC', DurableObjectNamespace>
const worker = (exports as unknown as { default: { fetch(request: Request): Promise<Response> } }).default
const SITE = 'https://tidemark.test'
const AUDIENCE = `org:${ORG_A}`

const database = useTestDatabase(servers().embedded)
const other = useConnection(database)
beforeAll(async () => {
  useDatabase(database.env)
  await database.install(SNAPSHOT_SCHEMA, snapshotSync)
  expect(await captureAll()).toBe(200)
})
afterAll(async () => {
  await runInDurableObject(REPLICATION.getByName('main'), (_instance, state) => state.storage.deleteAlarm())
})

const fetchHere = (path: string, init: RequestInit = {}) => worker.fetch(new Request(`${SITE}${path}`, init))
const asAdmin = { authorization: `Bearer ${ADMIN_TOKEN}` }
const ownPage = { 'x-tidemark-ops': '1', 'sec-fetch-site': 'same-origin' }
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetchHere(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers })
const state = async () => (await fetchHere('/ops/state', { headers: asAdmin })).json<ReplicationOperations>()
const syncState = async () =>
  (await fetchHere(`/ops/sync?object=${encodeURIComponent(AUDIENCE)}`, { headers: asAdmin })).json<SyncOperations>()
const operate = async (body: object) => (await post('/ops/actions', body, asAdmin)).json<LoggedAction>()
const health = async () => (await fetchHere('/health/replication', { headers: asAdmin })).json<ReplicationHealth>()
const checkOf = async (name: string) => (await health()).checks.find((check) => check.name === name)
const token = () => tokenOf({ userId: 'u', audiences: [AUDIENCE] })
const captureAll = async () =>
  (await fetchHere('/sync/head', { headers: { authorization: `Bearer ${await token()}` } })).status
const cookieOf = (answer: Response) => answer.headers.get('set-cookie') ?? ''

async function openReplica(client: string, held: { epoch: string; cursor: never } | null = null): Promise<TestSocket> {
  const { webSocket } = await worker.fetch(
    new Request(`${SITE}/sync/socket`, { headers: upgradeHeaders(await token()) }),
  )
  if (!webSocket) throw new Error('No socket.')
  const socket = new TestSocket(webSocket)
  socket.cursor = held?.cursor ?? null
  const { definitionVersion, definitionHash } = await definition()
  const holds = held
    ? { ...held, definitionVersion, definitionHash, audiences: [AUDIENCE] }
    : { epoch: null, cursor: null, definitionVersion: null, definitionHash: null, audiences: [] }
  socket.send({ type: 'hello', protocol: LIMITS.protocolVersion, client, unsettled: false, ...holds })
  return socket
}

const definition = async () =>
  (await fetchHere('/sync/definition', { headers: { authorization: `Bearer ${await token()}` } })).json<{
    epoch: string
    head: never
    definitionVersion: number
    definitionHash: string
  }>()

describe('logging in', () => {
  it('OPS-R8 DIS-R15 the page and its files say nothing secret, and run nothing that is not theirs', async () => {
    for (const [path, type] of [
      ['/ops', 'text/html'],
      ['/ops/page.js', 'text/javascript'],
      ['/ops/page.css', 'text/css'],
    ] as const) {
      const answer = await fetchHere(path)
      const text = await answer.text()
      expect([answer.status, answer.headers.get('content-type')?.split(';')[0]]).toEqual([200, type])
      expect(text).not.toContain(ADMIN_TOKEN)
      const policy = answer.headers.get('content-security-policy') ?? ''
      expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/)
      expect(policy).not.toContain('unsafe')
      expect(policy).toContain("frame-ancestors 'none'")
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    }
    const html = await (await fetchHere('/ops')).text()
    expect(html).not.toMatch(/<script>|<style|style=|\son\w+=|https?:/)
  })

  it('OPS-R8 SEC-13 the token is posted once and opens a session in a cookie that pages cannot read and other sites not send', async () => {
    const answer = await post('/ops/login', { token: ADMIN_TOKEN, name: 'Ada' }, ownPage)
    expect([answer.status, await answer.json()]).toEqual([200, { by: 'Ada' }])
    const cookie = cookieOf(answer)
    expect(cookie).toMatch(/^tidemark_ops=v1\.[^;]+; Max-Age=28800; Path=\/ops; HttpOnly; Secure; SameSite=Strict$/)
    expect(cookie).not.toContain(ADMIN_TOKEN)
    const headers = { cookie: cookie.split(';')[0] ?? '' }
    const shown = await fetchHere('/ops/state', { headers })
    expect([shown.status, (await shown.json<{ by: string }>()).by]).toEqual([200, 'Ada'])
    expect((await fetchHere('/ops/sync?object=x', { headers })).status).toBe(200)
    expect((await post('/ops/logout', {}, { ...headers, ...ownPage })).headers.get('set-cookie')).toContain('Max-Age=0')
    // A session is for the page alone.
    expect((await fetchHere('/health/replication', { headers })).status).toBe(401)
    const onLoopback = await worker.fetch(
      new Request('http://localhost:8787/ops/login', {
        method: 'POST',
        body: JSON.stringify({ token: ADMIN_TOKEN }),
        headers: ownPage,
      }),
    )
    expect(cookieOf(onLoopback)).toMatch(/HttpOnly; SameSite=Strict$/)
  })

  it('OPS-R8 SEC-01 without a session or the token nothing is shown or done', async () => {
    const expired = await sealSession({ by: 'x', expiresAtMs: 1 }, ADMIN_TOKEN)
    const forged = await sealSession({ by: 'x', expiresAtMs: 9e15 }, 'another token')
    for (const cookie of ['', 'tidemark_ops=', `tidemark_ops=${expired}`, `tidemark_ops=${forged}`]) {
      expect((await fetchHere('/ops/state', { headers: { cookie } })).status).toBe(401)
      expect((await fetchHere('/ops/sync?object=x', { headers: { cookie } })).status).toBe(401)
      expect((await post('/ops/actions', { kind: 'resume-capture' }, { cookie, ...ownPage })).status).toBe(401)
    }
    for (const path of ['/ops/state', '/ops/sync?object=x'])
      expect((await fetchHere(path, { headers: { authorization: 'Bearer no' } })).status).toBe(403)
    expect((await post('/ops/actions', { kind: 'resume-capture' }, { authorization: 'Bearer no' })).status).toBe(403)
  })

  it('OPS-R8 what another site has a browser send does nothing, though the cookie went along', async () => {
    const cookie = `tidemark_ops=${await sealSession({ by: 'Ada', expiresAtMs: 9e15 }, ADMIN_TOKEN)}`
    for (const headers of [
      {},
      { 'x-tidemark-ops': '1' },
      { 'sec-fetch-site': 'same-origin' },
      { 'x-tidemark-ops': '1', 'sec-fetch-site': 'same-site', origin: 'https://evil.tidemark.test' },
      { 'x-tidemark-ops': '1', origin: 'https://other.example' },
    ]) {
      expect((await post('/ops/actions', { kind: 'pause-capture' }, { cookie, ...headers })).status).toBe(403)
      expect((await post('/ops/login', { token: ADMIN_TOKEN }, { ...headers })).status).toBe(403)
    }
    expect((await state()).pause).toBeNull()
    const asOld = await post(
      '/ops/actions',
      { kind: 'resume-capture' },
      { cookie, 'x-tidemark-ops': '1', origin: SITE },
    )
    expect([asOld.status, (await asOld.json<LoggedAction>()).outcome]).toEqual([200, 'already'])
  })

  it('OPS-R8 SEC-12 guesses from one network are bounded, also after an eviction, and those of others are not', async () => {
    const guess = async (address: string) =>
      (await post('/ops/login', { token: 'guess' }, { ...ownPage, 'cf-connecting-ip': address })).status
    const statuses = []
    for (let attempt = 0; attempt < 12; attempt += 1) statuses.push(await guess('203.0.113.7'))
    expect(statuses).toEqual([...Array(10).fill(403), 429, 429])
    await evictDurableObject(REPLICATION.getByName('main'))
    expect(await guess('203.0.113.7')).toBe(429)
    // The right token is one guess more.
    const right = await post('/ops/login', { token: ADMIN_TOKEN }, { ...ownPage, 'cf-connecting-ip': '203.0.113.7' })
    expect(right.status).toBe(429)
    expect(await guess('203.0.113.8')).toBe(403)
    for (let attempt = 0; attempt < 10; attempt += 1) await guess(`2001:db8:1:2::${attempt}`)
    expect(await guess('2001:db8:1:2:ffff::1')).toBe(429)
  })

  it('OPS-R8 an action that is none is refused, and says what is wrong', async () => {
    for (const body of [
      'no JSON',
      {},
      { kind: 'drop-everything' },
      { kind: 'pause-capture', minutes: 0 },
      { kind: 'pause-capture', minutes: 1_441 },
      { kind: 'drop-snapshot' },
      { kind: 'drop-snapshot', audience: 'not an audience' },
      { kind: 'rehydrate-client', client: "x'; DROP" },
      { kind: 'resume-capture', by: '<script>' },
      { kind: 'resume-capture', more: 1 },
    ])
      expect((await post('/ops/actions', body, asAdmin)).status).toBe(400)
  })
})

it('OPS-R11 OPS-03 what the page shows is read from the objects alone: an open page keeps no database awake', async () => {
  await captureAll()
  const connections = async () => {
    const [row] = await other.query(
      `SELECT count(*)::text AS count FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'tidemark %'`,
    )
    return row?.count
  }
  // A pause ends what capture does by itself, and closes its connections.
  await operate({ kind: 'pause-capture' })
  await runInDurableObject(REPLICATION.getByName('main'), async (instance, { storage }) => {
    await storage.deleteAlarm()
    await (instance as DurableObject).alarm?.()
  })
  const { minutes: before, events } = await state()
  expect(before.length).toBeGreaterThan(0)
  // That a first history began is no news.
  expect(events.filter(({ source }) => source === 'epoch')).toEqual([])
  await evictDurableObject(REPLICATION.getByName('main'))
  await expect.poll(connections, { timeout: 30_000 }).toBe('0')
  for (let look = 0; look < 3; look += 1) {
    const { health: seen, minutes, figuresAtMs } = await state()
    // What was counted minute by minute outlives the object; what only the database knows is not asked for.
    expect(minutes.map(({ atMs }) => atMs)).toEqual(before.map(({ atMs }) => atMs))
    expect([seen.figures.retainedWalBytes, figuresAtMs]).toEqual([null, null])
    await syncState()
  }
  expect(await connections()).toBe('0')
  await operate({ kind: 'resume-capture', by: 'Ada' })
})

describe('what operators do', () => {
  it('OPS-R10 OPS-R9 FLT-08 a pause is stored, keeps its place over an eviction, and is told by health until it is resumed', async () => {
    const said = await operate({ kind: 'pause-capture', minutes: 30, id: 'pause-0001', by: 'Ada' })
    expect(said).toMatchObject({ outcome: 'done', by: 'Ada', action: { kind: 'pause-capture', minutes: 30 } })
    await database.run(`INSERT INTO item (id, org_id) VALUES (1, '${ORG_A}')`)
    expect(await captureAll()).toBe(503)
    await evictDurableObject(REPLICATION.getByName('main'))
    expect(await captureAll()).toBe(503)
    const [row] = await other.query(
      `SELECT count(*)::text AS count FROM tidemark.change_history WHERE table_name = 'public.item'`,
    )
    expect(row?.count).toBe('0')
    expect(await checkOf('paused')).toMatchObject({ status: 'warn', message: expect.stringContaining('paused by Ada') })
    expect((await health()).checks.filter(({ status }) => status === 'fail')).toEqual([])
    // Sent again it is the same request; another one while it lasts sets another end.
    expect(await operate({ kind: 'pause-capture', minutes: 30, id: 'pause-0001' })).toEqual(said)
    expect((await operate({ kind: 'pause-capture' })).outcome).toBe('already')
    expect((await operate({ kind: 'rebuild-slot' })).said).toContain('resume it first')

    expect(await operate({ kind: 'resume-capture', by: 'Ada' })).toMatchObject({ outcome: 'done' })
    expect((await operate({ kind: 'resume-capture' })).outcome).toBe('already')
    expect(await captureAll()).toBe(200)
    const [after] = await other.query(
      `SELECT count(*)::text AS count FROM tidemark.change_history WHERE table_name = 'public.item'`,
    )
    expect(after?.count).toBe('1')
    expect((await checkOf('paused'))?.status).toBe('ok')
  })

  it('OPS-R10 a pause that has run out ends by itself with the next run', async () => {
    await operate({ kind: 'pause-capture', minutes: 1 })
    await runInDurableObject(REPLICATION.getByName('main'), (_instance, { storage }) => {
      const past = JSON.stringify({ sinceMs: 0, untilMs: 1, by: 'x' })
      storage.sql.exec(`UPDATE memory SET value = ? WHERE name = 'pause'`, past)
    })
    await evictDurableObject(REPLICATION.getByName('main'))
    await REPLICATION.getByName('main')
      .fetch('https://x/')
      .catch(() => {})
    await runInDurableObject(REPLICATION.getByName('main'), (instance) => (instance as DurableObject).alarm?.())
    const { pause, events } = await state()
    expect(pause).toBeNull()
    expect(events[0]).toMatchObject({ source: 'pause', text: 'The pause ended with its time.' })
    expect(await captureAll()).toBe(200)
  })

  it('OPS-R9 FLT-03 the slot is rebuilt once for each request: a new slot, a new history, and health says why', async () => {
    const before = (await state()).health.epoch
    const said = await operate({ kind: 'rebuild-slot', id: 'rebuild-01', by: 'Ada' })
    expect(said.outcome).toBe('done')
    const { health: after, events } = await state()
    expect(after.epoch).not.toBe(before)
    expect(said.said).toContain(after.epoch)
    expect(after.checks.find(({ name }) => name === 'epoch')).toMatchObject({
      status: 'warn',
      value: 'rebuilt by an operator',
    })
    expect(events[0]).toMatchObject({ source: 'epoch' })
    await evictDurableObject(REPLICATION.getByName('main'))
    expect(await operate({ kind: 'rebuild-slot', id: 'rebuild-01' })).toEqual(said)
    expect(await captureAll()).toBe(200)
    expect((await health()).epoch).toBe(after.epoch)
  })

  it('OPS-R9 a snapshot is dropped, and the next that asks has it built anew', async () => {
    const manifest = async () =>
      (await fetchHere(`/sync/snapshot/${AUDIENCE}`, { headers: { authorization: `Bearer ${await token()}` } })).text()
    const first = await manifest()
    expect(await manifest()).toBe(first)
    await expect.poll(async () => (await state()).snapshots[0]?.audience).toBe(AUDIENCE)
    expect(await operate({ kind: 'drop-snapshot', audience: AUDIENCE })).toMatchObject({ outcome: 'done' })
    expect((await state()).snapshots[0]).toMatchObject({ audience: AUDIENCE, isDropped: true, fault: null })
    expect((await operate({ kind: 'drop-snapshot', audience: AUDIENCE })).outcome).toBe('already')
    expect(await manifest()).not.toBe(first)
    await expect.poll(async () => (await state()).snapshots[0]?.isDropped).toBe(false)
  })

  it('OPS-R9 OPS-R11 FLT-08 a client is told to load anew, now or with its next hello, until it has; and it is disconnected', async () => {
    const client = newClient()
    const { epoch, head } = await definition()
    const held = { epoch, cursor: head }
    const socket = await openReplica(client, held)
    expect((await socket.frame('welcome')).resume).toBe('stream')
    const seen = async () => (await syncState()).clients.find((one) => one.client === client)
    expect(await seen()).toMatchObject({ isConnected: true, userId: 'u', phase: 'streaming', isToLoad: false })
    expect((await syncState()).audiences).toEqual([{ name: AUDIENCE, start: expect.any(String), sessions: 1 }])
    expect((await state()).subscribers).toMatchObject([{ name: AUDIENCE, audiences: 1, clients: 1 }])

    expect(await operate({ kind: 'rehydrate-client', client })).toMatchObject({ outcome: 'done' })
    expect(await socket.frame('rehydrate')).toMatchObject({ reason: 'diverged' })
    expect((await operate({ kind: 'rehydrate-client', client })).outcome).toBe('already')
    await evictDurableObject(SYNC.getByName(AUDIENCE))
    expect(await seen()).toMatchObject({ isToLoad: true, phase: 'hydrating' })

    expect(await operate({ kind: 'disconnect-client', client })).toMatchObject({ outcome: 'done' })
    await expect.poll(() => socket.closed?.code).toBe(4503)
    expect(await seen()).toMatchObject({ isConnected: false, lastError: { kind: 'unavailable' } })
    expect((await operate({ kind: 'disconnect-client', client, object: AUDIENCE })).outcome).toBe('already')

    // It went away before it had loaded, so it is told again.
    const again = await openReplica(client, held)
    expect(await again.frame('welcome')).toMatchObject({ resume: 'hydrate', reason: 'diverged' })
    again.cursor = head
    again.send({ type: 'stream', epoch, from: head })
    await expect.poll(async () => (await seen())?.isToLoad).toBe(false)
    again.close()
    const later = await openReplica(client, held)
    expect((await later.frame('welcome')).resume).toBe('stream')
    later.close()

    const away = newClient()
    expect((await operate({ kind: 'rehydrate-client', client: away })).outcome).toBe('failed')
    expect((await operate({ kind: 'rehydrate-client', client: away, object: AUDIENCE })).outcome).toBe('pending')
    const late = await openReplica(away, held)
    expect(await late.frame('welcome')).toMatchObject({ resume: 'hydrate', reason: 'diverged' })
    late.close()
  })

  it('OPS-R9 OPS-R11 SEC-13 all of it is logged, newest first, with who and when, and without a value of a row', async () => {
    await database.run(`INSERT INTO item (id, org_id, title) VALUES (77, '${ORG_A}', 'a secret title')`)
    await captureAll()
    const { actions, ...rest } = await state()
    expect(actions.some(({ by }) => by === 'Ada')).toBe(true)
    expect(new Set(actions.map(({ action }) => action.kind)).size).toBe(6)
    expect(actions.every(({ atMs, by, said }) => atMs > 0 && by !== '' && said !== '')).toBe(true)
    expect([...actions].sort((a, b) => b.atMs - a.atMs)).toEqual(actions)
    const text = JSON.stringify([actions, rest, await syncState()])
    for (const secret of [ADMIN_TOKEN, 'a secret title', database.env.DATABASE_URL]) expect(text).not.toContain(secret)
  })
})
