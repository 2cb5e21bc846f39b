import { TidemarkError } from '../../protocol/index.ts'
import { askAudiences } from '../access/authenticate.ts'
import type { RightsChange } from '../contracts.ts'
import { errorFrom, logFault } from '../typed-error.ts'
import { positionAt } from './rules/position.ts'
import type { SyncSession } from './sessions.ts'
import type { Subscription } from './subscription.ts'
import { type SyncContext, whereIs } from './sync-context.ts'

/** For this many sessions audiences are asked for at once. */
const PARALLEL = 4

/** Keeps each session's audiences true: a session in doubt is sent nothing until the app has answered anew. */
export class Rights {
  readonly #context: SyncContext
  readonly #subscription: Subscription
  readonly #onAscertained: (session: SyncSession) => void
  #ascertaining: Promise<void> | null = null

  constructor(context: SyncContext, subscription: Subscription, onAscertained: (session: SyncSession) => void) {
    this.#context = context
    this.#subscription = subscription
    this.#onAscertained = onAscertained
  }

  /** Puts the open sessions of these users in doubt, and has their rights ascertained. */
  changed(users: RightsChange): void {
    const named = users === 'all' ? null : new Set(users)
    for (const session of this.#context.sessions) {
      if (named === null || named.has(session.state.userId)) this.doubt(session)
    }
    this.#ascertainSoon()
  }

  doubt(session: SyncSession): void {
    session.update({ rightsChanged: session.state.rightsChanged + 1 })
  }

  /** Takes the claims of a fresh token. */
  renew(session: SyncSession, claims: SyncSession['claims']): void {
    if (JSON.stringify(claims) === JSON.stringify(session.claims)) return
    session.claims = claims
    this.#context.storage.putSession(session.state.id, session)
    this.doubt(session)
    this.#ascertainSoon()
  }

  /** Ascertains the rights of all in doubt whose hello is answered. Throws `unavailable` where it must be tried again. */
  async ascertainAll(): Promise<void> {
    this.#ascertaining ??= this.#ascertainAll().finally(() => {
      this.#ascertaining = null
    })
    await this.#ascertaining
  }

  /** Returns once the app has answered since this session's rights last came in doubt. Throws what the app throws. */
  async ascertain(session: SyncSession): Promise<void> {
    const { access, env } = this.#context
    // Each turn answers a doubt of its own; a session whose rights change without end is sent nothing meanwhile.
    while (session.open && session.rightsInDoubt) {
      const asked = session.state.rightsChanged
      const audiences = await askAudiences(access, { userId: session.state.userId, claims: session.claims }, env)
      // This comes first, so that nothing of a granted audience passes between its snapshot and the stream.
      await this.#subscription.ensure(audiences)
      if (!session.open || session.state.rightsChanged !== asked) continue
      this.#noteAnswer(session, audiences)
    }
  }

  #noteAnswer(session: SyncSession, audiences: readonly string[]): void {
    const { storage, nowMs } = this.#context
    const { phase, position, rightsChanged } = session.state
    const answered = { rightsAsked: rightsChanged }
    const same = audiences.length === session.audiences.length && audiences.every((name) => session.seen.has(name))
    if (!same) {
      session.mayNowSee(audiences)
      storage.putSession(session.state.id, session)
    }
    if (same || (phase !== 'streaming' && phase !== 'hydrating')) {
      session.update(answered)
      return
    }
    // A position inside a transaction counts the changes that the session saw, so the transaction begins anew.
    const begun = { ...answered, position: position && positionAt(position.lsn), streamSinceMs: nowMs() }
    session.sendFrame({ type: 'audiences', audiences: [...audiences] }, nowMs(), begun)
  }

  #ascertainSoon(): void {
    this.#context.background(() => this.ascertainAll())
  }

  /** Takes each session once a pass, and passes end when no session is left in doubt. */
  async #ascertainAll(): Promise<void> {
    for (let waiting = this.#inDoubt(); waiting.length > 0; waiting = this.#inDoubt()) {
      const queue = waiting.values()
      const worker = async () => {
        for (const session of queue) await this.#ascertainOne(session)
      }
      await Promise.all(Array.from({ length: Math.min(PARALLEL, waiting.length) }, worker))
    }
  }

  #inDoubt(): SyncSession[] {
    const { sessions } = this.#context
    return [...sessions].filter(
      ({ rightsInDoubt, state: { phase } }) => rightsInDoubt && (phase === 'streaming' || phase === 'hydrating'),
    )
  }

  async #ascertainOne(session: SyncSession): Promise<void> {
    try {
      await this.ascertain(session)
    } catch (error) {
      const fault = errorFrom(error)
      if (fault.kind === 'unavailable') throw fault
      // A user whose rights cannot be determined has none.
      logFault(this.#context.env, fault, error, whereIs(this.#context, session))
      session.fault(
        new TidemarkError(fault.kind, 'The server could not look up anew what you may see; connect again.'),
        this.#context.nowMs(),
      )
    }
    if (session.open) this.#onAscertained(session)
  }
}
