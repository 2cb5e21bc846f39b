import { z } from 'zod'
import { ERROR_RULES, type ErrorKind, type PushAnswer, pushAnswerSchema, TidemarkError } from '../../protocol/index.ts'
import type { PushCall } from '../contracts.ts'
import { type ForwardedPush, isPushSecret } from './forwarded-push.ts'

/** The app's own server, which decides what users write. */
export interface PushTarget {
  /** Where `createMutationHandler` is mounted; https, but on this machine. */
  readonly url: string
  /** At least 32 letters, digits or signs of ASCII, without spaces, known to both. */
  readonly secret: string
}

/** Somewhat longer than a push may take there. */
const ANSWER_MS = 60_000
const faultSchema = z.object({
  kind: z.enum(Object.keys(ERROR_RULES) as [ErrorKind, ...ErrorKind[]]),
  message: z.string(),
})

const ON_THIS_MACHINE = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Throws `misconfigured`. */
function requireTarget({ url, secret }: PushTarget): void {
  const { protocol, hostname } = URL.parse(url) ?? { protocol: '', hostname: '' }
  const isSafe = protocol === 'https:' || (protocol === 'http:' && ON_THIS_MACHINE.has(hostname))
  if (!isSafe || !isPushSecret(secret))
    throw new TidemarkError(
      'misconfigured',
      'pushTo: url begins with https://, and secret has at least 32 letters, digits or signs of ASCII, and no spaces.',
    )
}

/**
 * Has the app's own server decide a push. Throws what it says, `unavailable` where it cannot be reached or is no such
 * server, `misconfigured` where it does not know the secret, or target is not one.
 */
export async function forwardPush(target: PushTarget, call: PushCall, tells: boolean): Promise<PushAnswer> {
  requireTarget(target)
  const { userId, claims, audiences } = call.session
  const forwarded: ForwardedPush = {
    session: { userId, claims: { ...claims }, audiences: [...audiences] },
    body: call.body,
    tells,
  }
  const answer = await ask(target, JSON.stringify(forwarded))
  if (answer.status === 401)
    throw new TidemarkError('misconfigured', 'The server at `pushTo` does not take its secret: give both the same.')
  const said = await answer.json().catch(() => null)
  const { data } = answer.ok ? pushAnswerSchema.safeParse(said) : { data: undefined }
  if (data) return data
  const fault = faultSchema.safeParse(said).data
  if (fault) throw new TidemarkError(fault.kind, fault.message)
  throw new TidemarkError('unavailable', `What answers at \`pushTo\` (${answer.status}) is no handler of mutations.`)
}

async function ask({ url, secret }: PushTarget, body: string): Promise<Response> {
  try {
    return await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body,
      // Who is sent on by a redirect may be another server, which is not to have the secret.
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_MS),
    })
  } catch (error) {
    throw new TidemarkError('unavailable', 'The server that decides what is written cannot be reached.', {
      cause: error,
    })
  }
}
