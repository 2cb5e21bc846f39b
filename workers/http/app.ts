import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { isLsn, LIMITS, type PushAnswer, TidemarkError } from '../../protocol/index.ts'
import { type AccessOptions, openSession } from '../access/authenticate.ts'
import { KeptRights } from '../access/kept-rights.ts'
import { bearerToken, subprotocolToken } from '../access/request-token.ts'
import { REPLICATION_NAME, SESSION_HEADER, type Session } from '../contracts.ts'
import type { SyncEnv } from '../env.ts'
import { addOpsRoutes } from '../ops/ops-routes.ts'
import { answerLeases } from '../push/answer-leases.ts'
import { callCommitted } from '../push/committed-calls.ts'
import { forwardPush } from '../push/forward-push.ts'
import type { PushOptions } from '../push/options.ts'
import { answerOutcomes } from '../push/outcomes.ts'
import { pushByLane } from '../push/push-by-lane.ts'
import { parseJson, readBody } from '../push/read-body.ts'
import { encodeSession } from '../sync/session-header.ts'
import type { Rate } from '../token-bucket.ts'
import { errorFrom, logFault } from '../typed-error.ts'
import { addHistoryRoutes } from './history-routes.ts'
import { addOperatorRoutes } from './operator-routes.ts'
import { PushFaults } from './push-faults.ts'
import { RequestRates } from './request-rates.ts'

export interface HttpOptions {
  readonly access: AccessOptions
  readonly push: PushOptions
  /** Origins of pages on other hosts; `*` for any. Without this only pages of this host may read answers. */
  readonly cors?: { readonly origins: readonly string[] | '*' }
  /** The rate of requests of one user; each isolate of the Worker counts for itself. */
  readonly requests?: Rate
  /** Path under which the routes are mounted, such as `/tidemark`. */
  readonly basePath?: string
  /** Lets users read the history of rows that they see. */
  readonly history?: boolean
}

type Env = { Bindings: SyncEnv }

/** Generous, because a first load asks for one chunk of a megabyte after another. */
const DEFAULT_REQUESTS: Rate = { burst: 600, refillMs: 20 }
const CHUNK_ID = /^[0-9a-f]{64}$/
const DAY_SECONDS = 86_400
/** A push body holds little besides its mutations. */
const PUSH_CHARS = LIMITS.pushChars + 64 * 1024
/** What asks for outcomes or for keys. */
const ASKING_CHARS = 64 * 1024
const RETRY_AFTER_SECONDS = '1'

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'cross-origin',
}

/** Builds the routes of a deployment; each error becomes its kind's status and `{ kind, message }` in one place. */
export function createApp(options: HttpOptions): Hono<Env> {
  const app = new Hono<Env>().basePath(options.basePath ?? '/')
  const rates = new RequestRates(options.requests ?? DEFAULT_REQUESTS)
  const rights = new KeptRights(options.access)
  /** `isAnew`: the answer decides something lasting, so rights asked for a moment ago are not enough. */
  const session = (context: Context<Env>, token: string | null, isAnew = false): Promise<Session> =>
    openSession(
      options.access,
      token,
      context.env,
      Date.now(),
      (userId) => rates.admit(userId, Date.now()),
      context.req.query('client') ?? null,
      (identity) => (isAnew ? rights.ask(identity, context.env) : rights.of(identity, context.env)),
    )

  if (options.cors) {
    const { origins } = options.cors
    app.use(
      '*',
      cors({
        origin: origins === '*' ? '*' : [...origins],
        allowHeaders: ['authorization', 'content-type'],
        exposeHeaders: ['retry-after'],
        maxAge: DAY_SECONDS,
      }),
    )
  }
  app.use('*', async (context, next) => {
    await next()
    // The answer to an upgrade takes no more headers.
    if (context.res.status === 101) return
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      if (!context.res.headers.has(name)) context.res.headers.set(name, value)
    if (!context.res.headers.has('cache-control')) context.res.headers.set('cache-control', 'no-store')
  })
  app.onError((error, context) => errorResponse(context.env, error))
  app.notFound((context) => errorResponse(context.env, notFound()))

  app.get('/sync/socket', async (context) => {
    if (context.req.header('upgrade')?.toLowerCase() !== 'websocket') {
      throw new TidemarkError('bad-input', 'This address takes WebSocket upgrades only.')
    }
    const right = await session(context, subprotocolToken(context.req.raw.headers), true)
    const headers = new Headers({ upgrade: 'websocket', connection: 'upgrade', [SESSION_HEADER]: encodeSession(right) })
    const answer = await context.env.SYNC.getByName(right.syncName).fetch(
      new Request('https://sync/socket', { headers }),
    )
    if (answer.status === 101) return answer
    // An answer left unread would keep the object awake.
    await answer.arrayBuffer()
    if (answer.status === 429) throw new TidemarkError('rate-limited', 'Too many connections; wait before the next.')
    throw new TidemarkError('internal', `The SyncDO refused a session with status ${answer.status}.`)
  })

  app.get('/sync/head', async (context) => {
    const { syncName, userId } = await session(context, bearerToken(context.req.raw.headers))
    const client = context.req.query('client') ?? null
    const head = await context.env.REPLICATION.getByName(REPLICATION_NAME).freshHead(syncName, client)
    await context.env.SYNC.getByName(head.toldTo ?? syncName).announce({ epoch: head.epoch, lsn: head.lsn }, userId)
    return context.json({ epoch: head.epoch, lsn: head.lsn })
  })

  app.get('/sync/definition', async (context) => {
    await session(context, bearerToken(context.req.raw.headers))
    return context.json(await context.env.REPLICATION.getByName(REPLICATION_NAME).definition())
  })

  app.get('/sync/migrations', async (context) => {
    await session(context, bearerToken(context.req.raw.headers))
    const from = context.req.query('from') ?? ''
    if (!/^\d+$/.test(from) || !Number.isSafeInteger(Number(from)))
      throw new TidemarkError('bad-input', 'Say after which version: /sync/migrations?from=<version>, e.g. 7.')
    return context.json(await context.env.REPLICATION.getByName(REPLICATION_NAME).migrations(Number(from)))
  })

  const faults = new PushFaults()
  const reportFaults = (context: Context<Env>) => {
    const counts = faults.take(Date.now())
    if (counts !== null)
      inBackground(context, () => context.env.REPLICATION.getByName(REPLICATION_NAME).report({ faults: counts }))
  }
  const push = async (context: Context<Env>): Promise<PushAnswer> => {
    try {
      const right = await session(context, bearerToken(context.req.raw.headers))
      const call = { session: right, body: await readBody(context.req.raw, PUSH_CHARS) }
      const { onCommitted, pushTo } = options.push
      return pushTo
        ? await forwardPush(pushTo({ ...context.env }), call, onCommitted !== undefined)
        : await pushByLane(options.push, context.env, call, (work) => inBackground(context, () => work))
    } catch (error) {
      faults.note(errorFrom(error).kind)
      reportFaults(context)
      throw error
    }
  }

  app.post('/sync/push', async (context) => {
    const { onCommitted } = options.push
    const answer = await push(context)
    if (answer.outcomes.length > 0)
      inBackground(context, () => context.env.REPLICATION.getByName(REPLICATION_NAME).kick())
    if (onCommitted && answer.outcomes.some(({ status }) => status === 'committed'))
      inBackground(context, async () => void (await callCommitted(context.env, onCommitted)))
    reportFaults(context)
    return context.json(answer)
  })

  app.post('/sync/outcomes', async (context) => {
    const right = await session(context, bearerToken(context.req.raw.headers))
    return context.json(
      await answerOutcomes(context.env, right, parseJson(await readBody(context.req.raw, ASKING_CHARS))),
    )
  })

  app.post('/sync/leases', async (context) => {
    const right = await session(context, bearerToken(context.req.raw.headers))
    return context.json(
      await answerLeases(context.env, right, parseJson(await readBody(context.req.raw, ASKING_CHARS))),
    )
  })

  if (options.history) addHistoryRoutes(app, (context) => session(context, bearerToken(context.req.raw.headers), true))

  const snapshotOf = async (context: Context<Env>, isAnew: boolean) => {
    const right = await session(context, bearerToken(context.req.raw.headers), isAnew)
    const audience = context.req.param('audience') ?? ''
    // Checked before anything is asked of the audience, so that one that is absent and one that is foreign look the
    // same.
    if (!right.audiences.includes(audience)) throw notFound()
    return context.env.SNAPSHOT.getByName(audience)
  }

  app.get('/sync/snapshot/:audience', async (context) => {
    const { manifest } = await (await snapshotOf(context, true)).manifest(context.req.param('audience'))
    return context.body(manifest, 200, { 'content-type': 'application/json', 'cache-control': 'private, no-cache' })
  })

  app.get('/sync/snapshot/:audience/:chunk', async (context) => {
    const snapshot = await snapshotOf(context, false)
    const id = context.req.param('chunk')
    const bytes = CHUNK_ID.test(id) ? await snapshot.chunk(id) : null
    if (bytes === null) throw notFound()
    return context.body(new Uint8Array(bytes), 200, {
      'content-type': 'application/octet-stream',
      'cache-control': `private, immutable, max-age=${DAY_SECONDS}`,
      vary: 'authorization',
      etag: `"${id}"`,
    })
  })

  app.get('/sync/sums/:audience', async (context) => {
    const snapshot = await snapshotOf(context, true)
    const at = context.req.query('at')
    if (at !== undefined && !isLsn(at))
      throw new TidemarkError('bad-input', 'Not an LSN: `at` takes 16 lower-case hex digits.')
    const { sums } = await snapshot.sums(context.req.param('audience'), at ?? null)
    return context.body(sums, 200, { 'content-type': 'application/json' })
  })

  addOperatorRoutes(app)
  addOpsRoutes(app, options.basePath ?? '/')
  return app
}

function notFound(): TidemarkError {
  return new TidemarkError('not-found', 'Nothing is found at this address, or not by this user.')
}

function errorResponse(env: SyncEnv, error: unknown): Response {
  const fault = errorFrom(error)
  logFault(env, fault, error)
  const answer = Response.json({ kind: fault.kind, message: fault.message }, { status: fault.httpStatus })
  if (fault.httpStatus === 429 || fault.httpStatus === 503) answer.headers.set('retry-after', RETRY_AFTER_SECONDS)
  return answer
}

/** Runs work that the answer need not wait for; without a runtime that keeps it alive it just runs. */
function inBackground(context: Context<Env>, work: () => Promise<void>): void {
  const guarded = Promise.resolve()
    .then(work)
    .catch((error: unknown) => logFault(context.env, errorFrom(error), error))
  try {
    context.executionCtx.waitUntil(guarded)
  } catch {
    // Hono throws where there is no such context.
  }
}
