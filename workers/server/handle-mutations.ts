import type { Actions, Sync, SyncTable } from '../../db/index.ts'
import { LIMITS, TidemarkError } from '../../protocol/index.ts'
import type { AppEnv } from '../access/access.ts'
import { bearerToken } from '../access/request-token.ts'
import { sameSecret } from '../constant-time.ts'
import { asDatabaseError } from '../database/index.ts'
import { forwardedPushSchema, isPushSecret } from '../push/forwarded-push.ts'
import type { PushOptions, ServerActions } from '../push/options.ts'
import { PushLane } from '../push/push-lane.ts'
import { parseJson, readBody } from '../push/read-body.ts'
import { errorFrom, logFault } from '../typed-error.ts'
import { driverSessions, type PgClient } from './driver-sessions.ts'
import type { MutationHandlerOptions } from './options.ts'

const CONNECTIONS = 10
/** A push as text in JSON, where each character may be written as two, and what its session may see. */
const BODY_CHARS = 2 * (LIMITS.pushChars + 64 * 1024) + 1024 * 1024

/**
 * Makes the handler by which an app's own server decides what users write: a Worker with `pushTo` sends it their pushes.
 * It takes a web `Request` and answers a `Response`, as Hono and route handlers of Next do; `toNode` is for Express.
 *
 * Throws `misconfigured` without a secret that is long enough.
 */
export function createMutationHandler<SyncActions extends Actions, Client extends PgClient>(
  sync: Sync<Record<string, SyncTable>, SyncActions>,
  options: MutationHandlerOptions<SyncActions, Client>,
): (request: Request) => Promise<Response> {
  const { secret } = options
  if (!isPushSecret(secret))
    throw new TidemarkError(
      'misconfigured',
      'createMutationHandler: secret has at least 32 letters, digits or signs of ASCII, and no spaces.',
    )
  const { sessions, clientOf } = driverSessions(options.connect)
  const push = (onCommitted: boolean): PushOptions => ({
    sync,
    actions: halvesOf(options.actions),
    tells: onCommitted,
    contextIn: (database) => ({
      client: clientOf(database),
      asApp: async <Result>(work: () => Promise<Result>) => {
        await database.query('SET LOCAL ROLE NONE')
        try {
          return await work()
        } finally {
          // Where this fails the transaction is void.
          await database.query('SET LOCAL ROLE tidemark_client').catch(() => {})
        }
      },
    }),
  })
  /** Halves on the app's own server get no `env`: it has its own settings. */
  const env: AppEnv = { DATABASE_URL: '', LOG_LEVEL: options.logLevel }
  const lane = new PushLane({
    sessions,
    nowMs: () => Date.now(),
    background: (work) => void work.catch((error: unknown) => logFault(env, errorFrom(error), error)),
    connections: options.connections ?? CONNECTIONS,
  })
  const decide = async (request: Request) => {
    if (request.method !== 'POST') throw new TidemarkError('bad-input', 'This address takes POST.')
    const given = bearerToken(request.headers)
    if (given === null || !(await sameSecret(given, secret)))
      throw new TidemarkError('unauthenticated', 'This is for the Worker, which knows the secret.')
    const { data } = forwardedPushSchema.safeParse(parseJson(await readBody(request, BODY_CHARS)))
    if (!data) throw new TidemarkError('bad-input', 'This is no push as a Worker hands it on.')
    const answer = await lane.push({ push: push(data.tells), env, session: data.session, body: data.body })
    if (answer === null) throw new TidemarkError('unavailable', 'Many write at this moment; send it again.')
    return answer
  }
  return async (request) => {
    try {
      return Response.json(await decide(request), { headers: { 'cache-control': 'no-store' } })
    } catch (error) {
      const fault = errorFrom(error)
      logFault(env, fault, error)
      return Response.json({ kind: fault.kind, message: fault.message }, { status: fault.httpStatus })
    }
  }
}

/** What the app's driver threw is judged as what `sql` throws: a deadlock is no refusal. */
function halvesOf(actions: object = {}): ServerActions<Actions> {
  // By the time they are called, their arguments have been checked, and their context has what it says.
  const halves = Object.entries(actions as ServerActions<Actions>)
  return Object.fromEntries(
    halves.map(([name, half]) => [
      name,
      async (...call: Parameters<NonNullable<typeof half>>) => {
        try {
          await half?.(...call)
        } catch (error) {
          throw asDatabaseError(error)
        }
      },
    ]),
  )
}
