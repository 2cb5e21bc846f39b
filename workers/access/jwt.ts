import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { TidemarkError } from '../../protocol/index.ts'
import type { AppEnv, Audiences, Authenticate, ClientSql } from './access.ts'

type TextEnv = Readonly<Record<string, string | undefined>>
type FromEnv = string | ((env: TextEnv) => string | undefined)
type ClaimsOf<Claims> = Readonly<Record<string, unknown> & { readonly sub: string } & Claims>

interface JwtCommon<Claims> {
  /** Required `iss`. */
  readonly issuer?: FromEnv
  /** Required `aud`. */
  readonly audience?: FromEnv
  /** Refuses a verified token for which it answers false, such as one that was made for another app. */
  readonly accept?: (claims: ClaimsOf<Claims>, env: TextEnv) => boolean
  /** Says what the bearer of these claims may see: `all`, or `prefix:value`. */
  readonly audiences: (
    claims: ClaimsOf<Claims>,
    request: { readonly userId: string; readonly sql: ClientSql; readonly env: AppEnv },
  ) => readonly string[] | Promise<readonly string[]>
}

/** Either a shared secret (HS256, at least 32 bytes), or the address of a key set (asymmetric algorithms only). */
export type JwtOptions<Claims = unknown> = JwtCommon<Claims> &
  ({ readonly secret: FromEnv; readonly jwksUrl?: never } | { readonly jwksUrl: FromEnv; readonly secret?: never })

const ASYMMETRIC = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const SECRET_BYTES = 32

/**
 * Ready-made `authenticate` and `audiences` for JSON Web Tokens, to spread into `createSyncWorker`.
 *
 * The user is `sub`; `exp` is required. The algorithm is ours to choose, never the token's. `Claims` says of which types the
 * app's own claims are, as whoever signs the tokens promises. Throws `misconfigured`.
 */
export function jwt<Claims = unknown>(
  options: JwtOptions<Claims>,
): { authenticate: Authenticate; audiences: Audiences } {
  const { secret, jwksUrl, issuer, audience, accept } = options
  if ((secret === undefined) === (jwksUrl === undefined)) {
    throw new TidemarkError('misconfigured', 'jwt() needs either `secret` or `jwksUrl`.')
  }
  if (typeof options.audiences !== 'function') {
    throw new TidemarkError('misconfigured', 'jwt() needs `audiences: (claims) => string[]`.')
  }
  if (typeof secret === 'string') checkedSecret(secret)
  const keySets = new Map<string, JWTVerifyGetKey>()
  const verify = async (token: string, env: AppEnv): Promise<JWTPayload> => {
    const rules = {
      requiredClaims: ['exp', 'sub'],
      ...(issuer === undefined ? {} : { issuer: required('issuer', issuer, env) }),
      ...(audience === undefined ? {} : { audience: required('audience', audience, env) }),
    }
    if (secret !== undefined) {
      const key = checkedSecret(typeof secret === 'string' ? secret : secret(texts(env)))
      return (await jwtVerify(token, key, { ...rules, algorithms: ['HS256'] })).payload
    }
    const address = typeof jwksUrl === 'string' ? jwksUrl : (jwksUrl?.(texts(env)) ?? '')
    const keySet = keySets.get(address) ?? openKeySet(address)
    keySets.set(address, keySet)
    return (await jwtVerify(token, keySet, { ...rules, algorithms: ASYMMETRIC })).payload
  }
  return {
    authenticate: async ({ token, env }) => {
      const claims = await verify(token, env).catch(refuse)
      if (typeof claims?.sub !== 'string' || claims.sub === '' || typeof claims.exp !== 'number') return null
      if (accept && !accept(claims as ClaimsOf<Claims>, texts(env))) return null
      return { userId: claims.sub, claims, expiresAtMs: claims.exp * 1000 }
    },
    audiences: ({ claims, userId, sql, env }) => options.audiences(claims as ClaimsOf<Claims>, { userId, sql, env }),
  }
}

/** Variables and secrets; bindings are not texts. */
function texts(env: AppEnv): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

/** A rule whose variable is not set would hold for every token. */
function required(name: string, value: FromEnv, env: AppEnv): string {
  const text = typeof value === 'string' ? value : value(texts(env))
  if (text) return text
  throw new TidemarkError('misconfigured', `jwt(): \`${name}\` is empty. Set the variable that it reads.`)
}

function openKeySet(address: string): JWTVerifyGetKey {
  if (!URL.canParse(address)) throw new TidemarkError('misconfigured', 'jwt(): `jwksUrl` is not a URL.')
  return createRemoteJWKSet(new URL(address))
}

function checkedSecret(secret: unknown): Uint8Array {
  const key = new TextEncoder().encode(typeof secret === 'string' ? secret : '')
  if (key.byteLength < SECRET_BYTES) {
    throw new TidemarkError('misconfigured', `jwt(): \`secret\` must be a text of at least ${SECRET_BYTES} bytes.`)
  }
  return key
}

/** A bad token is nobody's; an expired one says so; a key set that cannot be had is worth another try. */
function refuse(error: unknown): null {
  if (error instanceof TidemarkError) throw error
  if (error instanceof errors.JWTExpired) throw new TidemarkError('token-expired', 'The token has run out.')
  if (
    error instanceof errors.JWKSTimeout ||
    error instanceof errors.JWKSInvalid ||
    !(error instanceof errors.JOSEError)
  ) {
    throw new TidemarkError('unavailable', 'The keys to verify tokens with cannot be fetched now.', { cause: error })
  }
  // jose throws its base class where the key set answers with anything but a key set.
  if (error.code === 'ERR_JOSE_GENERIC')
    throw new TidemarkError('unavailable', 'The keys to verify tokens with cannot be fetched now.', { cause: error })
  return null
}
