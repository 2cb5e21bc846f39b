import * as z from 'zod/mini'
import { ERROR_RULES, type ErrorKind, LIMITS, TidemarkError } from '../../protocol/index.ts'

export type TokenSource = (options: { readonly fresh: boolean }) => Promise<string>

export interface Http {
  /** Throws TidemarkError: `unavailable` when no Tidemark server answers, else the kind it says or its status means. */
  json(path: string, signal: AbortSignal): Promise<unknown>
  /** Posts a JSON text, which may have arrived even where this throws. */
  post(path: string, body: string, signal: AbortSignal): Promise<unknown>
  bytes(path: string, signal: AbortSignal, options: { readonly fresh: boolean }): Promise<Uint8Array<ArrayBuffer>>
}

/** A snapshot may have to be built before its manifest is answered. */
const FIRST_BYTE_MS = 120_000

const KIND_OF_STATUS: Readonly<Record<number, ErrorKind>> = {
  400: 'bad-input',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  410: 'rehydrate-required',
  413: 'limit-exceeded',
  426: 'upgrade-required',
  429: 'rate-limited',
}

const faultSchema = z.object({
  kind: z.enum(Object.keys(ERROR_RULES) as [ErrorKind, ...ErrorKind[]]),
  message: z.string(),
})

/** Reads the fault that our server answered; null where something else answered, such as a proxy. */
async function readFault(response: Response): Promise<z.infer<typeof faultSchema> | null> {
  try {
    return faultSchema.safeParse(JSON.parse(await response.text())).data ?? null
  } catch {
    return null
  }
}

/** Reads seconds or a date, as HTTP allows both; null where there is neither. */
function retryAfterMs(header: string | null): number | null {
  if (header === null) return null
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : null
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    const message = 'The answer is not from a Tidemark server: a captive portal, a proxy, or a wrong url.'
    throw new TidemarkError('unavailable', message, { cause: error })
  }
}

interface Sending {
  readonly cache: RequestCache
  /** JSON to post; null of a GET. */
  readonly body: string | null
}

/** A page cannot tell a server that is away from one that does not let this page read its answers. */
function unreachable(baseUrl: string): string {
  const { location } = globalThis as { readonly location?: { readonly origin: string } }
  if (location === undefined || new URL(baseUrl, location.origin).origin === location.origin)
    return 'The server cannot be reached; trying again.'
  return `The server cannot be reached, or its \`cors\` does not name ${location.origin}; trying again.`
}

/** Requests with the session's token; a refused token is renewed and tried once more. */
export function createHttp(baseUrl: string, token: TokenSource, fetchFunction: typeof fetch = fetch): Http {
  async function sendRequest(path: string, signal: AbortSignal, sending: Sending, fresh: boolean): Promise<Response> {
    const { cache, body } = sending
    const authorization = `Bearer ${await token({ fresh })}`
    const post = { method: 'POST', body, headers: { authorization, 'content-type': 'application/json' } }
    const request = body === null ? { headers: { authorization } } : post
    const response = await fetchFunction(`${baseUrl}${path}`, { ...request, signal, cache, redirect: 'follow' })
    if (response.status === 401 && !fresh) {
      await response.body?.cancel()
      return sendRequest(path, signal, sending, true)
    }
    if (response.ok) return response
    const said = await readFault(response)
    const kind = said?.kind ?? KIND_OF_STATUS[response.status] ?? 'unavailable'
    const route = path.split('/').slice(0, 3).join('/')
    throw new TidemarkError(
      kind,
      `The server answered ${response.status} to ${route}${said ? `: ${said.message}` : '.'}`,
      { retryAfterMs: retryAfterMs(response.headers.get('retry-after')) },
    )
  }

  /** Reads a body whole; gives up when nothing has come for `silenceMs`. */
  async function readBody(path: string, outer: AbortSignal, sending: Sending): Promise<Uint8Array<ArrayBuffer>> {
    const quiet = new AbortController()
    let timer = setTimeout(() => quiet.abort(), FIRST_BYTE_MS)
    const signal = AbortSignal.any([outer, quiet.signal])
    try {
      const response = await sendRequest(path, signal, sending, false)
      const pieces: Uint8Array[] = []
      let length = 0
      for (const reader = response.body?.getReader(); reader; ) {
        clearTimeout(timer)
        timer = setTimeout(() => quiet.abort(), LIMITS.silenceMs)
        const { done, value } = await reader.read()
        if (done) break
        pieces.push(value)
        length += value.length
      }
      const whole = new Uint8Array(length)
      let offset = 0
      for (const piece of pieces) {
        whole.set(piece, offset)
        offset += piece.length
      }
      return whole
    } catch (error) {
      if (outer.aborted) throw new TidemarkError('unavailable', 'The request was given up.', { cause: error })
      throw error instanceof TidemarkError
        ? error
        : new TidemarkError('unavailable', unreachable(baseUrl), { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    json: async (path, signal) => parseJson(await readBody(path, signal, { cache: 'no-cache', body: null })),
    post: async (path, body, signal) => parseJson(await readBody(path, signal, { cache: 'no-store', body })),
    bytes: (path, signal, { fresh }) => readBody(path, signal, { cache: fresh ? 'reload' : 'default', body: null }),
  }
}
