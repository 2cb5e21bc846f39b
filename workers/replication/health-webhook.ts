import type { HealthCheck, ReplicationHealth } from '../contracts.ts'
import type { SyncEnv } from '../env.ts'
import { log } from '../log.ts'
import { check } from './rules/one-check.ts'
import { beginAttempt, endAttempt, type NoticeState, noteVerdict } from './rules/verdict-notice.ts'

/** An attempt ends after this long, arrived or not. */
const PATIENCE_MS = 10_000

export interface WebhookContext {
  readonly env: Pick<SyncEnv, 'HEALTH_WEBHOOK_URL' | 'HEALTH_WEBHOOK_SECRET' | 'LOG_LEVEL'>
  readonly storage: { notice: NoticeState }
  readonly nowMs: () => number
  readonly random: () => number
  readonly newId: () => string
  readonly send: (url: string, init: RequestInit) => Promise<Response>
  /** Runs work that nobody awaits. */
  readonly background: (work: Promise<void>) => void
}

/** Tells changes of the verdict to the operators' webhook: each at least once, signed, beside capture. Rule OPS-R6. */
export class HealthWebhook {
  readonly #context: WebhookContext
  #isSending = false

  constructor(context: WebhookContext) {
    this.#context = context
  }

  /** The check of its own settings; null where no webhook is wanted. */
  get check(): HealthCheck | null {
    const { HEALTH_WEBHOOK_URL } = this.#context.env
    if (!HEALTH_WEBHOOK_URL) return null
    const message =
      'Changes of this verdict are told to nobody: HEALTH_WEBHOOK_URL must begin with https:// and HEALTH_WEBHOOK_SECRET must be set.'
    return check('webhook', this.#target === null ? 'warn' : 'ok', null, message)
  }

  /** The time at which something is to be sent; null where nothing is. */
  get dueMs(): number | null {
    return this.#target === null ? null : (this.#context.storage.notice.pending?.dueAtMs ?? null)
  }

  /** Takes the verdict, and sends what is due. */
  note(health: ReplicationHealth): void {
    const { storage, nowMs, newId, background } = this.#context
    if (this.#target === null) return
    storage.notice = noteVerdict(storage.notice, health, nowMs(), newId())
    const { pending } = storage.notice
    if (pending === null || pending.dueAtMs > nowMs() || this.#isSending) return
    this.#isSending = true
    background(this.#send())
  }

  get #target(): { readonly url: string; readonly secret: string } | null {
    const { HEALTH_WEBHOOK_URL: url, HEALTH_WEBHOOK_SECRET: secret } = this.#context.env
    return url?.startsWith('https://') && secret ? { url, secret } : null
  }

  async #send(): Promise<void> {
    const { storage, nowMs, random } = this.#context
    storage.notice = beginAttempt(storage.notice, nowMs(), random())
    const failure = await this.#attempt().catch((error: unknown) => (error instanceof Error ? error.name : 'Error'))
    storage.notice = endAttempt(storage.notice, failure === null, nowMs())
    this.#isSending = false
    // Neither the address, which may hold a secret, nor an answer is logged.
    if (failure === null) return
    const next = storage.notice.pending === null ? 'given up' : 'tried again'
    log(this.#context.env, 'webhook-failed', { message: `The health webhook could not be told (${failure}); ${next}.` })
  }

  /** Answers why it did not arrive; null where it did. Throws what the network throws. */
  async #attempt(): Promise<string | null> {
    const { storage, send, nowMs } = this.#context
    const target = this.#target
    const { pending } = storage.notice
    if (target === null || pending === null) return null
    const seconds = Math.floor(nowMs() / 1_000)
    const answer = await send(target.url, {
      method: 'POST',
      body: pending.body,
      headers: {
        'content-type': 'application/json',
        'x-tidemark-delivery': pending.id,
        'x-tidemark-signature': `t=${seconds},v1=${await sign(`${seconds}.${pending.body}`, target.secret)}`,
      },
      // Another address than the one that was set is told nothing.
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    await answer.body?.cancel()
    return answer.ok ? null : `status ${answer.status}`
  }
}

/** Answers the HMAC-SHA256 of a text in hex. */
async function sign(text: string, secret: string): Promise<string> {
  const encoder = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['sign'])
  const bytes = new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(text)))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
