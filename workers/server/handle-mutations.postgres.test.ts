import { randomUUID } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import express from 'express'
import { Hono } from 'hono'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { refuse } from '../../db/index.ts'
import { LIMITS, TidemarkError } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { APP_SECRET, type AppServer, startAppServer } from '../../testing/push/app-server.ts'
import { ORG_A, pushSync } from '../../testing/push/push-app.ts'
import { usePushFixture } from '../../testing/push/push-fixture.ts'
import { TestClient, updateOf } from '../../testing/push/test-client.ts'
import { until } from '../../testing/system/until.ts'
import { forwardPush } from '../push/forward-push.ts'
import { createMutationHandler, toNode } from './index.ts'

const fixture = usePushFixture(servers().system)
/** How often the half of `close` ran. */
let runs = 0

const handler = createMutationHandler(pushSync, {
  connect: () => new pg.Client({ connectionString: fixture.owned.url }),
  secret: APP_SECRET,
  actions: {
    close: async (run, { args, client, asApp, user }) => {
      runs += 1
      await run()
      // As the app's own role, which may write what users may not, in the transaction of the mutation.
      await asApp(() => client.query('INSERT INTO public.audit (what, by) VALUES ($1, $2)', [args.id, user.id]))
    },
    bump: async (run, { args, client, asApp }) => {
      await run()
      if (args.id === 'denied') await client.query('INSERT INTO public.audit (what, by) VALUES (1, 1)')
      await asApp(() => drizzle(client).execute(sql`INSERT INTO public.audit (what, by) VALUES ('bump', 'app')`))
      if (args.id === 'twice') await client.query(`INSERT INTO public.tally (id, org_id) VALUES ('twice', $1)`, [ORG_A])
      if (args.id === 'refused') refuse('no', 'Not this one.', { id: args.id })
    },
  },
})

/** A route handler as Next calls it, of `app/api/mutations/route.ts`. */
const route: { readonly POST: (request: Request, context: { params: Promise<object> }) => Promise<Response> } = {
  POST: handler,
}
const hono = new Hono().post('/api/mutations', (context) => handler(context.req.raw))

const APPS: Readonly<Record<string, RequestListener>> = {
  Hono: toNode(async (request) => hono.fetch(request)),
  Next: toNode((request) => route.POST(request, { params: Promise.resolve({}) })),
  Express: express().post('/api/mutations', toNode(handler)),
  'Express after express.json()': express().use(express.json()).post('/api/mutations', toNode(handler)),
  'Express below a router': express().use('/api', express.Router().post('/mutations', toNode(handler))),
}

const clientOf = ({ target }: AppServer) =>
  new TestClient((body, { userId, audiences }) => {
    const session = { userId, audiences, claims: { sub: userId }, expiresAtMs: null, syncName: 'unused' }
    return forwardPush(target, { session, body: JSON.stringify(body) }, false)
  })
const audit = async (what: string) =>
  (await fixture.database.query('SELECT by FROM public.audit WHERE what = $1', [what])).map(({ by }) => by)

beforeAll(() => fixture.database.query('CREATE TABLE public.audit (what text, by text)'))
beforeEach(() => {
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  vi.spyOn(console, 'error').mockImplementation(() => {})
})

describe.each(Object.entries(APPS))('%s', (_name, listener) => {
  let server: AppServer
  beforeAll(async () => {
    server = await startAppServer(listener)
  })
  afterAll(() => server?.close())

  it('FLD-200 ACT-R7 decides as the Worker does: once, by conflict policy, with what its half wrote', async () => {
    const client = clientOf(server)
    const id = await fixture.task()
    const close = client.action('close', { id })
    const before = runs
    expect(await client.decide(close)).toEqual(['committed'])
    expect(await client.decide(close)).toEqual(['committed'])
    expect(runs - before).toBe(1)
    expect(await fixture.row('task', id)).toMatchObject({ state: 'done', title: 'one!' })
    expect(await audit(id)).toEqual(['ann'])
    expect(await client.decide(client.patch([updateOf('public.task', id, { title: ['mine', 'one'] })]))).toMatchObject([
      { kind: 'conflict', columns: ['title'], row: { title: 'one!' } },
    ])
    expect(await client.decide(client.action('close', { id }))).toMatchObject([
      { kind: 'refused', code: 'already-closed' },
    ])
    expect(await audit(id)).toEqual(['ann'])
  })
})

describe('a handler on the app’s own server', () => {
  let server: AppServer
  beforeAll(async () => {
    server = await startAppServer(express().post('/api/mutations', toNode(handler)))
  })
  afterAll(() => server?.close())

  it('FLD-201 ACT-R7 what its driver wrote falls with the mutation, and what the driver threw is judged like SQL', async () => {
    const client = clientOf(server)
    for (const id of ['refused', 'denied', 'twice'])
      await fixture.database.query('INSERT INTO public.tally (id, org_id) VALUES ($1, $2)', [id, ORG_A])
    const decide = (id: string) => client.decide(client.action('bump', { id }))
    expect(await decide('refused')).toEqual([
      { kind: 'refused', code: 'no', message: 'Not this one.', data: { id: 'refused' } },
    ])
    expect(await decide('denied')).toMatchObject([{ kind: 'forbidden' }])
    expect(await decide('twice')).toMatchObject([{ kind: 'constraint', constraint: 'tally_pkey' }])
    expect(await audit('bump')).toEqual([])
    for (const id of ['refused', 'denied', 'twice'])
      expect(await fixture.row('tally', id)).toMatchObject({ count: '0' })
  })

  it('FLD-202 ACT-R8 who lacks the secret decides nothing, and what is no handler is found out', async () => {
    const { url } = server.target
    const push = (target: AppServer['target']) => clientOf({ ...server, target }).decide()
    await expect(push({ url, secret: 'x'.repeat(32) })).rejects.toMatchObject({ kind: 'misconfigured' })
    await expect(push({ url: `${url}/none`, secret: APP_SECRET })).rejects.toMatchObject({ kind: 'unavailable' })
    await expect(push({ url: 'http://127.0.0.1:1/', secret: APP_SECRET })).rejects.toMatchObject({
      kind: 'unavailable',
    })
    expect(() => createMutationHandler(pushSync, { connect: () => new pg.Client(), secret: 'short' })).toThrow(
      TidemarkError,
    )
    const ask = (init: RequestInit) => handler(new Request('http://app/', init))
    expect((await ask({})).status).toBe(400)
    expect((await ask({ method: 'POST', body: '{}' })).status).toBe(401)
    const headers = { authorization: `Bearer ${APP_SECRET}` }
    expect((await ask({ method: 'POST', headers, body: '{"session": {}}' })).status).toBe(400)
    const long = 'x'.repeat(4 * LIMITS.pushChars)
    expect((await ask({ method: 'POST', headers, body: long })).status).toBe(413)
  })

  it('FLD-203 ACT-R8 of more pushes than it has sessions the rest is told to come again, and the user of a client stays', async () => {
    const narrow = createMutationHandler(pushSync, {
      connect: () => new pg.Client({ connectionString: fixture.owned.url }),
      secret: APP_SECRET,
      connections: 1,
    })
    const one = await startAppServer(toNode(narrow))
    const id = randomUUID()
    await fixture.database.query('INSERT INTO public.tally (id, org_id) VALUES ($1, $2)', [id, ORG_A])
    const holder = await fixture.owned.open()
    await holder.query('BEGIN')
    await holder.query('SELECT FROM public.tally WHERE id = $1 FOR UPDATE', [id])
    const [first, second] = [clientOf(one), clientOf(one)]
    const waiting = first.decide(first.action('bump', { id }))
    await fixture.untilWaiting(1)
    await expect(second.decide(second.action('bump', { id }))).rejects.toMatchObject({ kind: 'unavailable' })
    await holder.query('COMMIT')
    expect(await waiting).toEqual(['committed'])
    const stranger = new TestClient(
      (body, who) => {
        const session = { ...who, claims: {}, expiresAtMs: null, syncName: 'unused' }
        return forwardPush(one.target, { session, body: JSON.stringify(body) }, false)
      },
      { userId: 'bob', audiences: [`org:${ORG_A}`] },
      first.id,
    )
    // The session may still be giving back what the last push held.
    const refusal = () => stranger.decide(stranger.action('bump', { id })).catch(({ kind }) => kind)
    await until(async () => (await refusal()) !== 'unavailable')
    expect(await refusal()).toBe('forbidden')
    await Promise.all([holder.close(), one.close()])
  })
})
