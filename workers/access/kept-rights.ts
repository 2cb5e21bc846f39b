import { REPLICATION_NAME, type RightsGuard } from '../contracts.ts'
import type { SyncEnv } from '../env.ts'
import type { Identity } from './access.ts'
import { type AccessOptions, askAudiences } from './authenticate.ts'

/** An answer holds this long without any word from capture, and is never kept longer than `LONGEST_MS`. */
const FRESH_MS = 15_000
const LONGEST_MS = 10 * 60_000
const MAX_KEPT = 5_000

interface Kept {
  readonly audiences: readonly string[]
  readonly askedAtMs: number
  /** Null where capture did not say whether rights change. */
  readonly mark: string | null
}

type Who = Pick<Identity, 'userId' | 'claims'>

/**
 * Keeps what users may see, where the app asked Postgres for it: as long as capture sees no change in a watched table,
 * else for a moment. An answer that cost no query is not kept.
 */
export class KeptRights {
  readonly #options: Pick<AccessOptions, 'audiences'>
  readonly #kept = new Map<string, Kept>()
  readonly #asking = new Map<string, Promise<readonly string[]>>()

  readonly #nowMs: () => number

  constructor(options: Pick<AccessOptions, 'audiences'>, nowMs: () => number = Date.now) {
    this.#options = options
    this.#nowMs = nowMs
  }

  /** Answers like `askAudiences`, from now or from a moment ago. */
  async of(who: Who, env: SyncEnv): Promise<readonly string[]> {
    const key = keyOf(who)
    const kept = this.#kept.get(key)
    if (kept && (await isHolding(kept, who.userId, env, this.#nowMs()))) return kept.audiences
    const asking = this.#asking.get(key) ?? this.ask(who, env).finally(() => this.#asking.delete(key))
    this.#asking.set(key, asking)
    return asking
  }

  /** Asks the app, and keeps the answer for others. */
  async ask(who: Who, env: SyncEnv): Promise<readonly string[]> {
    const askedAtMs = this.#nowMs()
    let guard: Promise<RightsGuard | null> | null = null
    const audiences = await askAudiences(this.#options, who, env, async () => {
      // Asked before the query, so that whatever is captured from then on voids the answer.
      guard ??= guardOf(who.userId, env)
      await guard
    })
    const key = keyOf(who)
    this.#kept.delete(key)
    if (guard === null) return audiences
    const mark = (await (guard as Promise<RightsGuard | null>))?.mark ?? null
    this.#kept.set(key, { audiences, askedAtMs, mark })
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest)
    return audiences
  }
}

const keyOf = ({ userId, claims }: Who): string => JSON.stringify([userId, claims])

async function isHolding({ askedAtMs, mark }: Kept, userId: string, env: SyncEnv, nowMs: number): Promise<boolean> {
  const ageMs = nowMs - askedAtMs
  if (ageMs >= LONGEST_MS) return false
  const guard = await guardOf(userId, env)
  if (guard === null || guard.mark !== mark) return guard === null && ageMs < FRESH_MS
  return Math.min(ageMs, guard.behindMs ?? Number.POSITIVE_INFINITY) < FRESH_MS
}

/** Returns null where capture does not answer. */
async function guardOf(userId: string, env: SyncEnv): Promise<RightsGuard | null> {
  try {
    return await env.REPLICATION.getByName(REPLICATION_NAME).rightsGuard(userId)
  } catch {
    return null
  }
}
