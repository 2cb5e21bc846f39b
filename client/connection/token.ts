const RENEW_BEFORE_MS = 30_000

function decodeBase64Url(text: string): string {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)))
}

export function encodeBase64Url(text: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Reads when a JWT expires; null for any other token. It is not verified: only the server judges it. */
export function tokenExpiryMs(token: string): number | null {
  try {
    const claims: unknown = JSON.parse(decodeBase64Url(token.split('.')[1] ?? ''))
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : null
    return typeof exp === 'number' ? exp * 1000 : null
  } catch {
    return null
  }
}

/** Answers the delay before a new token is asked for: until 30 s before expiry, but at least half of the time left. */
export function renewalDelayMs(expiryMs: number, nowMs: number): number {
  const leftMs = Math.max(0, expiryMs - nowMs)
  return Math.min(Math.max(leftMs - RENEW_BEFORE_MS, leftMs / 2, 1_000), 2 ** 31 - 1)
}
