import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { TidemarkError } from '../../protocol/index.ts'
import type { AppEnv, Audiences, Authenticate, ClientSql } from './access.ts'

type FromEnv = string | ((env: Readonly<Record<string, string | undefined>>) => string | undefined)

interface JwtCommon {
  /** Required `iss`. */
  readonly issuer?: string
  /** Required `aud`. */
  readonly audience?: string
  /** Says what the bearer of these claims may see: `all`, or `prefix:value`. */
  readonly audiences: (
    claims: Readonly<Record<string, unknown>>,
    request: { readonly userId: string; readonly sql: ClientSql; readonly env: AppEnv },
  ) => readonly string[] | Promise<readonly string[]>
}

/** Either a shared secret (HS256, at least 32 bytes), or the address of a key set (asymmetric algorithms only). */
export type JwtOptions = JwtCommon &
  ({ readonly secret: FromEnv; readonly jwksUrl?: never } | { readonly jwksUrl: FromEnv; readonly secret?: never })

const ASYMMETRIC = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const SECRET_BYTES = 32

/**
 * Ready-made `authenticate` and `audiences` for JSON Web Tokens, to spread into `createSyncWorker`.
 *
 * The user is `sub`; `exp` is required. The algorithm is ours to choose, never the token's. Throws `misconfigured`.
 */
export function jwt(options: JwtOptions): { authenticate: Authenticate; audiences: Audiences } {
  const { secret, jwksUrl, issuer, audience } = options
  if ((secret === undefined) === (jwksUrl === undefined)) {
    throw new TidemarkError('misconfigured', 'jwt() needs either `secret` or `jwksUrl`.')
  }
  if (typeof options.audiences !== 'function') {
    throw new TidemarkError('misconfigured', 'jwt() needs `audiences: (claims) => string[]`.')
  }
  if (typeof secret === 'string') checkedSecret(secret)
  const keySets = new Map<string, JWTVerifyGetKey>()
  const rules = {
    requiredClaims: ['exp', 'sub'],
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
  }
  const verify = async (token: string, env: AppEnv): Promise<JWTPayload> => {
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
      try {
        const claims = await verify(token, env)
        if (typeof claims.sub !== 'string' || claims.sub === '' || typeof claims.exp !== 'number') return null
        return { userId: claims.sub, claims, expiresAtMs: claims.exp * 1000 }
      } catch (error) {
        return refuse(error)
      }
    },
    audiences: ({ claims, userId, sql, env }) => options.audiences(claims, { userId, sql, env }),
  }
}

/** Variables and secrets; bindings are not texts. */
function texts(env: AppEnv): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
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
