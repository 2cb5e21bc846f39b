import type { Context, Hono } from 'hono'
import { deleteCookie, setCookie } from 'hono/cookie'
import { isAudienceName, TidemarkError } from '../../protocol/index.ts'
import { REPLICATION_NAME } from '../contracts.ts'
import type { SyncEnv } from '../env.ts'
import type { OperatorAction } from '../operations-contract.ts'
import { parseJson, readBody } from '../push/read-body.ts'
import { actionSchema, loginSchema } from './action-schema.ts'
import { PAGE_FILES } from './page-files.ts'
import { checkAdminToken, requireOperator, requireOwnPage, SESSION_COOKIE } from './require-operator.ts'
import { needsSecure } from './rules/request-origin.ts'
import { SESSION_MS, sealSession } from './session-cookie.ts'

type Env = { Bindings: SyncEnv }

const BODY_CHARS = 8 * 1024
/** The page's own files and answers alone: nothing inline, nothing from elsewhere, and nobody frames it. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')
const SAME_ORIGIN = { 'cross-origin-resource-policy': 'same-origin' }
const DEFAULT_NAME = 'an operator'
const DEFAULT_SCRIPT_NAME = 'a script'

/** Mounts the operators' page: its files, which hold nothing secret, its login, what it shows, and what it does. */
export function addOpsRoutes(app: Hono<Env>, basePath: string): void {
  const path = `${basePath === '/' ? '' : basePath}/ops`
  const file = (route: string, type: string, text: string) => {
    app.get(route, (context) => {
      const headers = { 'content-type': type, 'content-security-policy': PAGE_POLICY, 'cache-control': 'no-cache' }
      return context.body(text, 200, { ...headers, ...SAME_ORIGIN })
    })
  }
  file('/ops', 'text/html; charset=utf-8', PAGE_FILES.html)
  file('/ops/page.js', 'text/javascript; charset=utf-8', PAGE_FILES.script)
  file('/ops/page.css', 'text/css; charset=utf-8', PAGE_FILES.style)

  app.post('/ops/login', async (context) => {
    requireOwnPage(context)
    const { token, name = DEFAULT_NAME } = parsed(loginSchema, await readBody(context.req.raw, BODY_CHARS))
    if (!(await replicationOf(context).admitLogin(addressOf(context))))
      throw new TidemarkError('rate-limited', 'Too many attempts to log in from here; wait a minute.')
    const adminToken = await checkAdminToken(token, context.env)
    const value = await sealSession({ by: name, expiresAtMs: Date.now() + SESSION_MS }, adminToken)
    setCookie(context, SESSION_COOKIE, value, { ...cookieOf(context, path), maxAge: SESSION_MS / 1_000 })
    return context.json({ by: name })
  })

  app.post('/ops/logout', (context) => {
    requireOwnPage(context)
    deleteCookie(context, SESSION_COOKIE, cookieOf(context, path))
    return context.json({})
  })

  app.get('/ops/state', async (context) => {
    const by = await requireOperator(context, false)
    return context.json({ by, ...(await replicationOf(context).operations()) }, 200, SAME_ORIGIN)
  })

  app.get('/ops/sync', async (context) => {
    await requireOperator(context, false)
    const name = context.req.query('object')
    if (!name) throw new TidemarkError('bad-input', 'Say which SyncDO: /ops/sync?object=<name>, e.g. org:42.')
    return context.json(await context.env.SYNC.getByName(name).operations(), 200, SAME_ORIGIN)
  })

  app.post('/ops/actions', async (context) => {
    const named = await requireOperator(context, true)
    const { id, by, ...action } = parsed(actionSchema, await readBody(context.req.raw, BODY_CHARS))
    if (action.kind === 'drop-snapshot' && !isAudienceName(action.audience))
      throw new TidemarkError('bad-input', 'Not an audience: expected `all` or `prefix:value`.')
    const request = {
      id: id ?? crypto.randomUUID(),
      by: named ?? by ?? DEFAULT_SCRIPT_NAME,
      action: 'client' in action ? { ...action, object: action.object ?? null } : action,
    } satisfies { action: OperatorAction; by: string; id: string }
    const logged = await replicationOf(context).operate(request)
    return context.json(logged, logged.outcome === 'failed' ? 409 : 200)
  })
}

const replicationOf = (context: Context<Env>) => context.env.REPLICATION.getByName(REPLICATION_NAME)

const cookieOf = (context: Context<Env>, path: string) =>
  ({ path, httpOnly: true, sameSite: 'Strict', secure: needsSecure(context.req.url) }) as const

/** The network that a request comes from, by Cloudflare: of an IPv6 address the part that one customer is given. */
function addressOf({ req }: Context<Env>): string {
  const address = req.header('cf-connecting-ip') ?? 'unknown'
  return address.includes(':') ? address.split(':').slice(0, 4).join(':') : address
}

interface Schema<Value> {
  safeParse(
    value: unknown,
  ): { success: true; data: Value } | { success: false; error: { issues: { path: PropertyKey[]; message: string }[] } }
}

function parsed<Value>(schema: Schema<Value>, body: string): Value {
  const result = schema.safeParse(parseJson(body))
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new TidemarkError(
    'bad-input',
    `${issue?.path.join('.') || 'the body'}: ${issue?.message}; see Operate in the docs.`,
  )
}
