import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from 'cloudflare:test'
import { env as bindings } from 'cloudflare:workers'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ActionSql, Actions } from '../../db/index.ts'
import { LIMITS, outcomesAnswerSchema, parsePgLsn, pushAnswerSchema, type Row } from '../../protocol/index.ts'
import { servers } from '../../testing/postgres/servers.ts'
import { useTestDatabase } from '../../testing/postgres/use-test-database.ts'
import { ORG_A, PUSH_SCHEMA, pushSync } from '../../testing/push/push-app.ts'
import { type Author, insertOf, type SendPush, TestClient, updateOf } from '../../testing/push/test-client.ts'
import { newClient, tokenOf } from '../../testing/workerd/distribution.ts'
import { laneOptions } from '../../testing/workerd/lone-lanes.ts'
import { ADMIN_TOKEN, access } from '../../testing/workerd/staged.ts'
import { useDatabase } from '../../testing/workerd/worker.ts'
import { REPLICATION_NAME } from '../contracts.ts'
import { withDatabase } from '../database/index.ts'
import type { SyncEnv } from '../env.ts'
import { createSyncWorker, type SyncWorkerOptions } from '../index.ts'
import type { CommittedMutation, ServerActions } from './options.ts'

const TASK = 'public.task'
const ID = '00000000-0000-4000-8000-00000000000'

const database = useTestDatabase(servers().embedded)
beforeAll(async () => {
  useDatabase(database.env)
  await database.install(PUSH_SCHEMA, pushSync)
})
afterAll(async () => {
  const { REPLICATION } = bindings as unknown as { REPLICATION: DurableObjectNamespace }
  await runInDurableObject(REPLICATION.getByName('main'), (_instance, state) => state.storage.deleteAlarm())
})
afterEach(() => vi.restoreAllMocks())

const told: CommittedMutation[] = []
let fails = false
/** Extra work of the next booking. */
let besides: (sql: ActionSql) => Promise<unknown> = async () => null
const options = {
  ...access,
  cors: { origins: ['https://app.example'] },
  actions: {
    book: async (run, { args, sql }) => {
      await run()
      await sql`UPDATE tally SET count = count + ${args.amounts.length} WHERE id = 'books'`
      await besides(sql)
    },
  },
  onCommitted: (mutation) => {
    told.push(mutation)
    if (fails) throw new Error('not now')
  },
} satisfies SyncWorkerOptions<NonNullable<typeof pushSync.actions>>
const { worker } = createSyncWorker(pushSync, options)
laneOptions.push = {
  sync: pushSync,
  actions: options.actions as ServerActions<Actions>,
  onCommitted: options.onCommitted,
}
const { LONE_LANE } = bindings as unknown as { LONE_LANE: SyncEnv['SYNC'] }
const realEnv = (): SyncEnv => ({ ...bindings, ...database.env, ADMIN_TOKEN, SYNC: LONE_LANE }) as unknown as SyncEnv
/** A SyncDO namespace whose every lane is busy. */
const NO_LANES: SyncEnv['SYNC'] = (bindings as unknown as { STAGED_SYNC: SyncEnv['SYNC'] }).STAGED_SYNC

interface Asked {
  readonly path: string
  readonly who: Author | null
  readonly body: unknown
  readonly env: SyncEnv
}

/** Sends a request to the Worker; its work in the background is done too when this resolves. */
async function ask({ path, who, body, env }: Asked): Promise<Response> {
  const context = createExecutionContext()
  const request = new Request(`https://tidemark.test${path}`, {
    method: 'POST',
    headers: who ? { authorization: `Bearer ${await tokenOf(who)}` } : {},
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const response = await worker.fetch(request, env, context)
  await waitOnExecutionContext(context)
  return response
}

const sendBy =
  (env: () => SyncEnv): SendPush =>
  async (body, who) =>
    pushAnswerSchema.parse(await (await ask({ path: '/sync/push', who, body, env: env() })).json())
const query = (text: string, params?: (string | null)[]) => withDatabase(database.env, (one) => one.query(text, params))

describe('POST /sync/push', () => {
  const ann: Author = { userId: 'ann', audiences: [`org:${ORG_A}`, 'all'] }

  it('OUT-01 REB-21 PSH-R12 PSH-R13 decides a batch, kicks capture, and tells the app after the commit', async () => {
    await database.run(`INSERT INTO tally (id, org_id) VALUES ('books', '${ORG_A}')`)
    // From here on it captures.
    await realEnv().REPLICATION.getByName(REPLICATION_NAME).freshHead(null)
    const client = new TestClient(sendBy(realEnv), ann)
    const settled = await client.decide(
      client.patch([insertOf(TASK, { id: `${ID}1`, org_id: ORG_A, title: 'one', state: 'open' })]),
      client.action('book', { org: ORG_A, amounts: [1, 2] }),
      client.patch([updateOf(TASK, `${ID}1`, { title: ['x', 'other'] })]),
    )
    expect(settled).toMatchObject(['committed', 'committed', { kind: 'conflict' }])
    expect(told.map(({ counter }) => counter).sort()).toEqual([1, 2])
    expect(await query(`SELECT count::text FROM public.tally WHERE id = 'books'`)).toEqual([{ count: '2' }])
    expect(await query('SELECT FROM tidemark.committed_call')).toEqual([])
    const captured = `SELECT operation FROM tidemark.change_history WHERE table_name = '${TASK}'`
    while ((await query(captured)).length === 0);
    const body = { protocol: LIMITS.protocolVersion, client: client.id, counters: [1, 2, 3, 4] }
    const asked = await ask({ path: '/sync/outcomes', who: ann, body, env: realEnv() })
    const { outcomes } = outcomesAnswerSchema.parse(await asked.json())
    const places = await query(
      `SELECT lsn::text FROM tidemark.change_history WHERE client_id = $1 AND operation = 'mutation' ORDER BY lsn`,
      [client.id],
    )
    expect(outcomes.map(({ outcome, lsn }) => [outcome.counter, outcome.status, lsn])).toEqual(
      ['committed', 'committed', 'rejected'].map((status, index) => [
        index + 1,
        status,
        parsePgLsn(places[index]?.lsn ?? ''),
      ]),
    )
  })

  it('PSH-R12 what the app could not be told is told again by the cron trigger', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {})
    told.length = 0
    fails = true
    const client = new TestClient(sendBy(realEnv), ann)
    expect(await client.decide(client.action('book', { org: ORG_A, amounts: [1] }))).toEqual(['committed'])
    expect(await query('SELECT attempts::text FROM tidemark.committed_call')).toEqual([{ attempts: '1' }])
    fails = false
    await query('UPDATE tidemark.committed_call SET due_at = now()')
    await worker.scheduled({}, realEnv())
    expect(told.map(({ id }) => id)).toEqual([`${client.id}:1`, `${client.id}:1`])
    expect(await query('SELECT FROM tidemark.committed_call')).toEqual([])
  })

  it('OUT-23 PSH-R9 accepts while capture is down', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {})
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const away = (): SyncEnv => ({
      ...realEnv(),
      REPLICATION: {
        getByName: () => {
          throw new Error('This object is overloaded.')
        },
      },
    })
    const client = new TestClient(sendBy(away), ann)
    expect(await client.decide(client.patch([updateOf(TASK, `${ID}1`, { title: ['two', 'one'] })]))).toEqual([
      'committed',
    ])
    expect(await query(`SELECT title FROM public.task WHERE id = '${ID}1'`)).toEqual([{ title: 'two' }])
  })

  it('OUT-18 PSH-R9 a database that is away is answered 503 with a time to wait, and nothing is decided', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {})
    const gone = { ...realEnv(), DATABASE_PROXY: '127.0.0.1:1', SYNC: NO_LANES }
    const client = new TestClient(sendBy(realEnv), ann)
    const mutation = client.action('book', { org: ORG_A, amounts: [1] })
    const body = { protocol: LIMITS.protocolVersion, client: client.id, acknowledged: 0, mutations: [mutation] }
    const answer = await ask({ path: '/sync/push', who: ann, body, env: gone })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await answer.json()).toMatchObject({ kind: 'unavailable' })
    expect(await client.decide(mutation)).toEqual(['committed'])
  })

  it.each(['/sync/push', '/sync/outcomes'])(
    'SEC-01 SEC-04 OUT-19 PSH-R10 %s needs a token, its own client, and a body within bounds',
    async (path) => {
      vi.spyOn(console, 'warn').mockImplementation(() => {})
      const owner = new TestClient(sendBy(realEnv), ann)
      await owner.decide(owner.action('book', { org: ORG_A, amounts: [1] }))
      const eve = { userId: 'eve', audiences: [`org:${ORG_A}`] }
      const base = { protocol: LIMITS.protocolVersion, client: owner.id }
      const body = path === '/sync/push' ? { ...base, acknowledged: 0, mutations: [] } : { ...base, counters: [1] }
      const env = realEnv()
      const statusOf = async (who: Author | null, sent: unknown) => (await ask({ path, who, body: sent, env })).status
      expect(await statusOf(ann, body)).toBe(200)
      expect(await statusOf(null, body)).toBe(401)
      const foreign = await ask({ path, who: eve, body, env })
      expect([foreign.status, await foreign.json()]).toEqual([403, { kind: 'forbidden', message: expect.any(String) }])
      expect(await statusOf(ann, { ...body, protocol: 1 })).toBe(426)
      expect(await statusOf(ann, { ...body, client: 'short' })).toBe(400)
      expect(await statusOf(ann, 'no json')).toBe(400)
      expect(await statusOf(ann, '['.repeat(10_000))).toBe(400)
      expect(await statusOf(ann, JSON.stringify({ ...body, more: 'x'.repeat(LIMITS.pushChars + 65_536) }))).toBe(413)
    },
  )

  it('SEC-12 SEC-11 a flood is refused before the database is asked; deep nesting is bad input', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {})
    const { worker: strict } = createSyncWorker(pushSync, {
      ...access,
      limits: { requests: { burst: 3, refillMs: 60_000 } },
    })
    const headers = { authorization: `Bearer ${await tokenOf({ userId: 'flood', audiences: [] })}` }
    const deep = `{"protocol":${LIMITS.protocolVersion},"client":"${newClient()}","acknowledged":0,"mutations":[{"counter":1,"at":"2026-01-01T00:00:00Z","after":[],"kind":"action","name":"book","predicted":null,"args":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`
    const statuses: number[] = []
    for (let turn = 0; turn < 5; turn += 1) {
      const request = new Request('https://tidemark.test/sync/push', { method: 'POST', headers, body: deep })
      const answer = await strict.fetch(request, realEnv())
      statuses.push(answer.status)
      if (answer.status === 429) expect(answer.headers.get('retry-after')).toBe('1')
    }
    expect(statuses.slice(3)).toEqual([429, 429])
    expect(statuses.slice(0, 3)).toEqual([400, 400, 400])
  })

  const pushers = () =>
    query(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tidemark push'`)

  it('PSH-R14 SEC-03 pushes share a connection, and each finds it as if it were new', async () => {
    const clients = Array.from({ length: 4 }, () => new TestClient(sendBy(realEnv), ann))
    const book = (client = clients[0] as TestClient) =>
      client.decide(client.action('book', { org: ORG_A, amounts: [1] }))
    const dirtied: Row[] = []
    besides = async (sql) => {
      dirtied.push(
        ...(await sql`SELECT pg_backend_pid()::text AS pid, set_config('search_path', 'nowhere', false),
        set_config('app.left', 'behind', false), set_config('work_mem', '5555kB', false)`),
      )
      await sql`SELECT pg_advisory_lock(42)`
      await sql`CREATE TEMP TABLE left_behind ()`
    }
    expect(await book()).toEqual(['committed'])
    const found: Row[] = []
    besides = async (sql) => {
      found.push(
        ...(await sql`SELECT pg_backend_pid()::text AS pid, current_setting('app.left', true) AS left,
        current_setting('statement_timeout') AS timeout, (current_setting('work_mem') = '5555kB')::text AS kept, to_regclass('pg_temp.left_behind')::text AS table,
        (SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks`),
      )
    }
    // A connection is put back only after its push was answered; four at once then use all that the lane kept.
    while (!found.some(({ pid }) => pid === dirtied[0]?.pid))
      expect(await Promise.all(clients.map(book))).toEqual(clients.map(() => ['committed']))
    for (const one of found) {
      expect(one).toMatchObject({ timeout: '20s', kept: 'false', table: null, locks: '0' })
      expect([null, '']).toContain(one.left)
    }
    besides = async () => null
    // The next push notices a connection that was cut while nobody used it, and opens another.
    await query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tidemark push'`,
    )
    expect(await book()).toEqual(['committed'])
  })

  it('PSH-R14 where all connections of a lane are in use, and where it fails, the Worker pushes by itself', async () => {
    const holder = await database.open()
    await holder.query('BEGIN')
    await holder.query(`SELECT FROM public.tally WHERE id = 'books' FOR UPDATE`)
    const clients = Array.from({ length: 7 }, () => new TestClient(sendBy(realEnv), ann))
    const settling = clients.map((client) => client.decide(client.action('book', { org: ORG_A, amounts: [1] })))
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'tidemark push'`
    while ((await query(waiting)).length < 7);
    await holder.query('COMMIT')
    await holder.close()
    expect(await Promise.all(settling)).toEqual(clients.map(() => ['committed']))
    const failing = (): SyncEnv => ({
      ...realEnv(),
      SYNC: {
        getByName: () => {
          throw new Error('This object is overloaded.')
        },
      },
    })
    const client = new TestClient(sendBy(failing), ann)
    expect(await client.decide(client.action('book', { org: ORG_A, amounts: [1] }))).toEqual(['committed'])
    // A while after the last push none is open: the database may sleep.
    while ((await pushers()).length > 0);
  })

  it('DIS-R15 pages of named origins may send JSON', async () => {
    const request = new Request('https://tidemark.test/sync/push', {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    })
    const answer = await worker.fetch(request, realEnv())
    expect(answer.headers.get('access-control-allow-methods')).toContain('POST')
    expect(answer.headers.get('access-control-allow-headers')).toContain('content-type')
  })
})
