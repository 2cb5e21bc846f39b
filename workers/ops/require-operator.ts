import type { Context } from 'hono'
import { getCookie } from 'hono/cookie'
import { TidemarkError } from '../../protocol/index.ts'
import { bearerToken } from '../access/request-token.ts'
import { sameSecret } from '../constant-time.ts'
import type { SyncEnv } from '../env.ts'
import { isOwnPage } from './rules/request-origin.ts'
import { openSession } from './session-cookie.ts'

type Env = { Bindings: SyncEnv }

export const SESSION_COOKIE = 'tidemark_ops'
/** No page of another origin can send it without being asked first, and no form at all. */
const PAGE_HEADER = 'x-tidemark-ops'

/** Throws `forbidden` where this is not the admin token; without such a secret nothing is. */
export async function checkAdminToken(given: string, { ADMIN_TOKEN }: SyncEnv): Promise<string> {
  if (ADMIN_TOKEN && (await sameSecret(given, ADMIN_TOKEN))) return ADMIN_TOKEN
  throw new TidemarkError('forbidden', 'This needs the admin token, which is the secret ADMIN_TOKEN of the deployment.')
}

/** Throws `unauthenticated` without a token in the header, and `forbidden` unless it is the admin token. */
export async function requireAdmin(context: Context<Env>): Promise<void> {
  const given = bearerToken(context.req.raw.headers)
  if (given === null) throw new TidemarkError('unauthenticated', 'This needs `Authorization: Bearer <ADMIN_TOKEN>`.')
  await checkAdminToken(given, context.env)
}

/** Throws `forbidden` for a request that another site may have had a browser make. Rule OPS-R8. */
export function requireOwnPage({ req }: Context<Env>): void {
  const site = req.header('sec-fetch-site') ?? null
  const isOurs = isOwnPage({ url: req.url, site, origin: req.header('origin') ?? null })
  if (isOurs && req.header(PAGE_HEADER) === '1') return
  throw new TidemarkError('forbidden', 'This is for the operators’ page itself; scripts send the admin token.')
}

/**
 * Answers who asks: the name that the page's session was opened under, or null for a script that sends the admin token. With
 * `isAction` a session counts only for requests of the page itself. Throws `unauthenticated` and `forbidden`.
 */
export async function requireOperator(context: Context<Env>, isAction: boolean): Promise<string | null> {
  const given = bearerToken(context.req.raw.headers)
  if (given !== null) {
    await checkAdminToken(given, context.env)
    return null
  }
  const { ADMIN_TOKEN } = context.env
  const cookie = getCookie(context, SESSION_COOKIE)
  const session = cookie && ADMIN_TOKEN ? await openSession(cookie, ADMIN_TOKEN, Date.now()) : null
  if (!session) throw new TidemarkError('unauthenticated', 'Log in with the admin token.')
  if (isAction) requireOwnPage(context)
  return session.by
}
