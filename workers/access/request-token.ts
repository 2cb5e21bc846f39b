import { LIMITS, SUBPROTOCOL, TidemarkError, TOKEN_SUBPROTOCOL_PREFIX } from '../../protocol/index.ts'

const BEARER = /^Bearer +([^\s]+)$/i
const BASE64URL = /^[A-Za-z0-9_-]+$/

/** The token of `Authorization: Bearer …`; null where there is none. Throws `limit-exceeded`. */
export function bearerToken(headers: Headers): string | null {
  const token = BEARER.exec(headers.get('authorization') ?? '')?.[1]
  return token ? ofBoundedLength(token, LIMITS.tokenBytes) : null
}

/**
 * The token that a WebSocket's subprotocol list carries beside our subprotocol; null where either is missing. Throws
 * `limit-exceeded`.
 */
export function subprotocolToken(headers: Headers): string | null {
  const offered = (headers.get('sec-websocket-protocol') ?? '').split(',').map((entry) => entry.trim())
  const carried = offered.filter((entry) => entry.startsWith(TOKEN_SUBPROTOCOL_PREFIX))
  if (!offered.includes(SUBPROTOCOL) || carried.length !== 1) return null
  const encoded = carried[0]?.slice(TOKEN_SUBPROTOCOL_PREFIX.length) ?? ''
  ofBoundedLength(encoded, Math.ceil((LIMITS.tokenBytes * 4) / 3))
  if (!BASE64URL.test(encoded)) return null
  try {
    const bytes = Uint8Array.from(atob(encoded.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
    const token = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return token.length > 0 ? token : null
  } catch {
    return null
  }
}

function ofBoundedLength(token: string, most: number): string {
  if (token.length <= most) return token
  throw new TidemarkError('limit-exceeded', `A token has at most ${LIMITS.tokenBytes} bytes: leave claims out of it.`)
}
