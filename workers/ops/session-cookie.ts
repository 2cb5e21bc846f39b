import { sameSecret } from '../constant-time.ts'

/** Who logged in to the operators' page, as they said, and until when. */
export interface OperatorSession {
  readonly by: string
  readonly expiresAtMs: number
}

/** A working day; who stays longer logs in again. */
export const SESSION_MS = 8 * 60 * 60_000
const VERSION = 'v1'
const PURPOSE = 'tidemark operators page session '

const toBase64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')

function fromBase64Url(text: string): string | null {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

async function sign(payload: string, adminToken: string): Promise<string> {
  const encoder = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', encoder.encode(adminToken), algorithm, false, ['sign'])
  return toBase64Url(new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(PURPOSE + payload))))
}

/** Makes the value of a session's cookie. It holds no secret: the admin token only signs it, and a new one ends all sessions. */
export async function sealSession(session: OperatorSession, adminToken: string): Promise<string> {
  const payload = `${VERSION}.${toBase64Url(new TextEncoder().encode(JSON.stringify(session)))}`
  return `${payload}.${await sign(payload, adminToken)}`
}

/** Reads a session's cookie; null where it was not made with this token, or has run out. */
export async function openSession(value: string, adminToken: string, nowMs: number): Promise<OperatorSession | null> {
  const [version, text = '', signature = '', ...more] = value.split('.')
  if (version !== VERSION || more.length > 0) return null
  if (!(await sameSecret(signature, await sign(`${version}.${text}`, adminToken)))) return null
  // What we signed has the form that we gave it.
  const session = JSON.parse(fromBase64Url(text) ?? 'null') as OperatorSession | null
  return session !== null && nowMs < session.expiresAtMs ? session : null
}
