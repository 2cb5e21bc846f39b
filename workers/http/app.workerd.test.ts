import { env } from 'cloudflare:workers'
import { SignJWT, UnsecuredJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { LIMITS, TOKEN_SUBPROTOCOL_PREFIX } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import {
  ask,
  beginEpoch,
  connect,
  follow,
  lsn,
  openSocket,
  type Person,
  replication,
  stageOf,
  syncObject,
  tokenOf,
  upgradeHeaders,
} from '../../testing/workerd/distribution.ts'
import { ADMIN_TOKEN, JWT_SECRET, stagedEnv } from '../../testing/workerd/staged.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import { SESSION_HEADER } from '../contracts.ts'
import { createApp } from './app.ts'

const database = useTestDatabase(servers().system)
beforeAll(async () => {
  useDatabase(database.env)
  await beginEpoch(database.env, 'http')
})

const person: Person = { userId: 'u', audiences: ['org:a', 'all'] }
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
const CHUNK = 'a'.repeat(64)
const secret = new TextEncoder().encode(JWT_SECRET)

/** Every route that shows anything of an audience or a session. */
const ROUTES = ['/sync/head', '/sync/migrations?from=1', '/sync/snapshot/org:a', `/sync/snapshot/org:a/${CHUNK}`]

describe('tokens', () => {
  const base = () => new SignJWT({ audiences: ['org:a'] }).setSubject('u').setProtectedHeader({ alg: 'HS256' })
  const bad: [string, () => Promise<string> | string][] = [
    ['none at all', () => ''],
    ['garbage', () => 'abc'],
    [
      'of another secret',
      () =>
        base()
          .setExpirationTime('1h')
          .sign(new TextEncoder().encode('x'.repeat(40))),
    ],
    ['expired', () => base().setExpirationTime(1_000).sign(secret)],
    ['without exp', () => base().sign(secret)],
    ['without sub', () => new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(secret)],
    ['alg none', () => new UnsecuredJWT({ audiences: ['org:a'] }).setSubject('u').setExpirationTime('1h').encode()],
    [
      'alg HS512',
      () =>
        new SignJWT({ audiences: ['org:a'] })
          .setSubject('u')
          .setExpirationTime('1h')
          .setProtectedHeader({ alg: 'HS512' })
          .sign(secret),
    ],
    [
      'tampered',
      async () =>
        (await base().setExpirationTime('1h').sign(secret)).replace(
          /\.[^.]+\./,
          `.${btoa('{"sub":"v","exp":9999999999}').replaceAll('=', '')}.`,
        ),
    ],
  ]
  it.each(bad)('SEC-01 DIS-R12 refused before the upgrade and on every route: %s', async (_title, make) => {
    const token = await make()
    const answers = await Promise.all([
      ...ROUTES.map((path) => ask(path, bearer(token))),
      ask('/sync/socket', { headers: upgradeHeaders(token) }),
    ])
    for (const answer of answers) {
      expect(answer.status).toBe(401)
      expect(answer.webSocket ?? null).toBeNull()
      expect(JSON.stringify(await answer.json())).not.toContain('org:a')
    }
  })

  it('FLD-206 SEC-01 DIS-R12 a token that is too long is refused as such, on every route and before the upgrade', async () => {
    const token = 'a'.repeat(LIMITS.tokenBytes + 1)
    const answers = await Promise.all([
      ...ROUTES.map((path) => ask(path, bearer(token))),
      ask('/sync/socket', { headers: upgradeHeaders(token) }),
    ])
    for (const answer of answers) {
      expect(answer.status).toBe(413)
      expect(await answer.json()).toMatchObject({ kind: 'limit-exceeded', message: expect.stringContaining('8192') })
    }
  })

  it('SEC-01 the token rides in the subprotocol list only, and is never answered', async () => {
    const token = await tokenOf(person)
    const answer = await ask('/sync/socket', { headers: upgradeHeaders(token) })
    expect(answer.status).toBe(101)
    expect(answer.headers.get('sec-websocket-protocol')).toBe('tidemark.v1')
    answer.webSocket?.accept()
    answer.webSocket?.close()
    const refused = [
      ask(`/sync/socket?token=${token}`, { headers: { upgrade: 'websocket' } }),
      ask('/sync/socket', { headers: { upgrade: 'websocket', authorization: `Bearer ${token}` } }),
      ask('/sync/socket', {
        headers: { upgrade: 'websocket', 'sec-websocket-protocol': `${TOKEN_SUBPROTOCOL_PREFIX}${btoa(token)}` },
      }),
    ]
    for (const answer of await Promise.all(refused)) expect(answer.status).toBe(401)
    expect((await ask('/sync/socket')).status).toBe(400)
  })

  it('SEC-01 a session header from outside means nothing', async () => {
    const forged = JSON.stringify({
      userId: 'x',
      claims: {},
      audiences: ['org:z'],
      expiresAtMs: null,
      syncName: 'org:a',
    })
    const answer = await ask('/sync/socket', { headers: { ...upgradeHeaders('abc'), [SESSION_HEADER]: forged } })
    expect(answer.status).toBe(401)
    const own = await openSocket({ userId: 'u3', audiences: ['org:a'] })
    own.close()
    const both = await ask('/sync/socket', {
      headers: { ...upgradeHeaders(await tokenOf(person)), [SESSION_HEADER]: forged },
    })
    expect(both.status).toBe(101)
    both.webSocket?.accept()
    both.webSocket?.close()
  })
})

describe('snapshots', () => {
  it('SEC-02 SEC-10 DIS-R11 foreign and absent are the same answer, by audience and by chunk', async () => {
    const own = bearer(await tokenOf(person))
    const foreign = bearer(await tokenOf({ userId: 'v', audiences: ['org:b'] }))
    const answers = [
      await ask('/sync/snapshot/org:a', foreign),
      await ask('/sync/snapshot/org:never', foreign),
      await ask('/sync/snapshot/org:never', own),
      await ask(`/sync/snapshot/org:a/${CHUNK}`, foreign),
      await ask(`/sync/snapshot/org:a/${'b'.repeat(64)}`, own),
      await ask('/sync/snapshot/org:a/nothing', own),
      await ask('/nowhere', own),
    ]
    const seen = await Promise.all(
      answers.map(async (answer) => [answer.status, await answer.text(), answer.headers.get('cache-control')]),
    )
    expect(new Set(seen.map((one) => JSON.stringify(one))).size).toBe(1)
    expect(answers[0]?.status).toBe(404)
  })

  it('SEC-10 answers those who may, privately', async () => {
    const own = bearer(await tokenOf(person))
    const manifest = await ask('/sync/snapshot/org:a', own)
    expect([manifest.status, await manifest.json()]).toEqual([200, { audience: 'org:a' }])
    expect(manifest.headers.get('cache-control')).toContain('private')
    const chunk = await ask(`/sync/snapshot/org:a/${CHUNK}`, own)
    expect(new TextDecoder().decode(await chunk.arrayBuffer())).toBe(`chunk ${CHUNK}`)
    expect(chunk.headers.get('cache-control')).toMatch(/^private, immutable/)
    expect(chunk.headers.get('content-encoding')).toBeNull()
  })

  it('SEC-05 audience names are only names', async () => {
    const odd = ["org:'; DROP TABLE x; --", 'org:../../all', 'org:%2e%2e', 'org:é😀', 'org:__proto__']
    for (const audience of odd) {
      const own = bearer(await tokenOf({ userId: 'odd', audiences: [audience] }))
      const answer = await ask(`/sync/snapshot/${encodeURIComponent(audience)}`, own)
      expect(await answer.json()).toEqual({ audience })
      const socket = await connect({ userId: 'odd', audiences: [audience, 'proto:__proto__', 'constructor:toString'] })
      expect((await socket.frame('welcome')).audiences).toContain(audience)
      socket.close()
    }
    const wrong = await ask('/sync/head', bearer(await tokenOf({ userId: 'odd', audiences: ['no colon'] })))
    expect(wrong.status).toBe(500)
  })
})

describe('migrations', () => {
  it('SCH-R8 answers those who name a version', async () => {
    const own = bearer(await tokenOf(person))
    const answer = await ask('/sync/migrations?from=7', own)
    expect([answer.status, await answer.json()]).toEqual([200, { epoch: 'after 7', versions: [] }])
    for (const from of ['', '?from=', '?from=-1', '?from=1.5', '?from=1e3', '?from=9007199254740993', '?from=x']) {
      const refused = await ask(`/sync/migrations${from}`, own)
      expect([refused.status, await refused.json()]).toMatchObject([400, { kind: 'bad-input' }])
    }
  })
})

describe('operators', () => {
  it('SEC-13 /health says only up or down', async () => {
    const up = await ask('/health')
    expect([up.status, await up.json()]).toEqual([200, { status: 'up' }])
    const stage = stageOf('http')
    await replication().stage({ ...stage, health: { ...stage.health, status: 'fail' } })
    const down = await ask('/health')
    expect([down.status, await down.json()]).toEqual([503, { status: 'down' }])
    expect((await ask('/health/replication', bearer(ADMIN_TOKEN))).status).toBe(503)
    await replication().stage(stage)
  })

  it.each(['/health/replication', '/health/sync?object=org:a', '/metrics'])(
    'SEC-13 %s needs the operators’ token',
    async (path) => {
      expect((await ask(path)).status).toBe(401)
      for (const wrong of [`${ADMIN_TOKEN}x`, ADMIN_TOKEN.slice(1), await tokenOf(person)]) {
        expect((await ask(path, bearer(wrong))).status).toBe(403)
      }
      const allowed = await ask(path, bearer(ADMIN_TOKEN))
      expect([allowed.status, await allowed.text()]).toEqual([
        200,
        expect.stringMatching(/"status":"ok"|tidemark_health 0/),
      ])
      const app = createApp({
        access: { authenticate: () => null, audiences: () => [] },
        push: { sync: { tables: {} } },
      })
      const { ADMIN_TOKEN: _secret, ...closed } = stagedEnv(env)
      const answer = await app.fetch(new Request(`https://tidemark.test${path}`, bearer(ADMIN_TOKEN)), closed)
      expect(answer.status).toBe(403)
    },
  )
})

describe('the rest', () => {
  it('DIS-R15 carries security headers, and those of CORS for the origins named', async () => {
    const answer = await ask('/health', { headers: { origin: 'https://app.example' } })
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const other = await ask('/health', { headers: { origin: 'https://evil.example' } })
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
    const preflight = await ask('/sync/head', {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
  })

  it('SEC-06 errors tell a client no more than their kind and a message of ours', async () => {
    const app = createApp({
      push: { sync: { tables: {} } },
      access: {
        authenticate: () => ({ userId: 'u', claims: {}, expiresAtMs: null }),
        audiences: () => Promise.reject(new Error('password=hunter2')),
      },
    })
    const answer = await app.fetch(new Request('https://tidemark.test/sync/head', bearer('t')), stagedEnv(env))
    const body = await answer.text()
    expect(answer.status).toBe(500)
    expect(body).not.toContain('hunter2')
    expect(JSON.parse(body)).toMatchObject({ kind: 'internal' })
  })

  it('OUT-24 a fresh head reaches the caller’s socket', async () => {
    const socket = await follow(person, 'http', lsn(0))
    await socket.frame('welcome')
    const stage = stageOf('http')
    await replication().stage({ ...stage, freshHead: { epoch: 'http', lsn: lsn(6) } })
    const answer = await ask('/sync/head', bearer(await tokenOf(person)))
    expect(await answer.json()).toEqual({ epoch: 'http', lsn: lsn(6) })
    await socket.reaches(lsn(6))
    await replication().stage(stage)
  })

  it('SEC-12 DIS-R13 a flood of requests is refused before the app is asked, and others go on', async () => {
    let asked = 0
    const app = createApp({
      push: { sync: { tables: {} } },
      access: {
        authenticate: ({ token }) => ({ userId: token, claims: {}, expiresAtMs: null }),
        audiences: () => {
          asked += 1
          return ['org:a']
        },
      },
      requests: { burst: 5, refillMs: 3_600_000 },
    })
    const get = (token: string) =>
      app.fetch(new Request('https://tidemark.test/sync/snapshot/org:a', bearer(token)), stagedEnv(env))
    const flood = await Promise.all(Array.from({ length: 50 }, () => get('flooder')))
    expect(flood.filter(({ status }) => status === 200)).toHaveLength(5)
    expect(flood.filter(({ status }) => status === 429)).toHaveLength(45)
    expect(asked).toBe(5)
    expect((await get('calm')).status).toBe(200)
  })

  it('DIS-R15 mounts under a base path', async () => {
    const app = createApp({
      access: { authenticate: () => null, audiences: () => [] },
      push: { sync: { tables: {} } },
      basePath: '/tidemark',
    })
    expect((await app.fetch(new Request('https://tidemark.test/tidemark/health'), stagedEnv(env))).status).toBe(200)
    expect((await app.fetch(new Request('https://tidemark.test/health'), stagedEnv(env))).status).toBe(404)
  })

  it('DIS-R16 audiences may ask the database, as the user', async () => {
    const app = createApp({
      push: { sync: { tables: {} } },
      access: {
        authenticate: () => ({ userId: "o'neil", claims: { sub: "o'neil" }, expiresAtMs: null }),
        audiences: async ({ sql, userId }) => {
          const [row] = await sql`SELECT current_user AS role, tidemark.user_id() AS id, ${userId}::text AS given`
          const both = await Promise.all([sql`SELECT 1 AS one`, sql`SELECT 2 AS two`])
          return [`seen:${row?.role}|${row?.id}|${row?.given}|${JSON.stringify(both.flat())}`]
        },
      },
    })
    const path = `/sync/snapshot/${encodeURIComponent(`seen:tidemark_client|o'neil|o'neil|[{"one":"1"},{"two":"2"}]`)}`
    expect((await app.fetch(new Request(`https://tidemark.test${path}`, bearer('t')), stagedEnv(env))).status).toBe(200)
  })

  it('SEC-06 a failing ReplicationDO is `unavailable`, whatever it threw', async () => {
    await replication().stage({ ...stageOf('http'), failures: 1 })
    const socket = await connect({ userId: 'w', audiences: ['org:w'] })
    expect(await socket.frame('fault')).toMatchObject({ kind: 'unavailable' })
    await socket.until(({ closed }) => closed !== null)
    expect(socket.closed?.code).toBe(4503)
    const again = await connect({ userId: 'w', audiences: ['org:w'] })
    expect(await again.frame('welcome')).toMatchObject({ resume: 'hydrate', reason: 'new' })
    expect((await syncObject('org:w').health()).status).toBe('ok')
  })
})
