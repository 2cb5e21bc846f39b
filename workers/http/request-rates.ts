import { TidemarkError } from '../../protocol/index.ts'
import { type Bucket, fullBucket, type Rate, takeToken } from '../token-bucket.ts'

/** The most users remembered; the one seen longest ago is forgotten first. */
const USERS = 10_000

/**
 * Limits how often each user asks, as far as this isolate sees it: nothing is stored, so a flood costs no more than
 * itself.
 */
export class RequestRates {
  readonly #rate: Rate
  readonly #buckets = new Map<string, Bucket>()

  constructor(rate: Rate) {
    this.#rate = rate
  }

  /** Throws `rate-limited`. */
  admit(userId: string, nowMs: number): void {
    const bucket = takeToken(this.#buckets.get(userId) ?? fullBucket(this.#rate, nowMs), this.#rate, nowMs)
    if (!bucket) throw new TidemarkError('rate-limited', 'Too many requests; wait before the next.')
    this.#buckets.delete(userId)
    this.#buckets.set(userId, bucket)
    const [oldest] = this.#buckets.keys()
    if (this.#buckets.size > USERS && oldest !== undefined) this.#buckets.delete(oldest)
  }
}
