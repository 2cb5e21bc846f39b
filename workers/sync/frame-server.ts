import { type Lsn, type RehydrateReason, TidemarkError, toTidemarkError, ZERO_LSN } from '../../protocol/index.ts'
import { refuseOutdated } from '../access/check-bundle.ts'
import type { EncodedTransaction, PlacedChange } from '../encoded-change.ts'
import { log, logs } from '../log.ts'
import { readHistory } from './history.ts'
import { MutationTeller } from './rules/author.ts'
import { type Frame, FrameAssembler } from './rules/frame-assembler.ts'
import { coveredFrom, FrameCache } from './rules/frame-cache.ts'
import type { Position } from './rules/position.ts'
import { isServed, type SessionState } from './rules/session-state.ts'
import { mayNotice, mayServe } from './rules/window.ts'
import type { SyncSession } from './sessions.ts'
import { deliveredReader } from './storage/delivered.ts'
import type { Subscription } from './subscription.ts'
import { type SyncContext, whereIs } from './sync-context.ts'

/** Sends sessions what is ahead of them: from the log where it reaches back far enough, else from history. */
export class Server {
  readonly #context: SyncContext
  readonly #subscription: Subscription

  constructor(context: SyncContext, subscription: Subscription) {
    this.#context = context
    this.#subscription = subscription
  }

  /** Serves every session, each frame made once for all who see the same; nobody waits for a slow one. */
  broadcast(urgent = false, sessions: Iterable<SyncSession> = this.#context.sessions.unclosed()): void {
    const cache = this.#newCache()
    for (const session of sessions) this.serve(session, urgent, cache)
  }

  /** Serves one session as far as its window lets it. With `urgent` an idle one learns the head now. */
  serve(session: SyncSession, urgent = false, cache: FrameCache | null = this.#newCache()): void {
    const before = session.state
    this.#serveAhead(session, urgent, cache)
    this.#logServed(session, before)
    session.keepPlace()
  }

  #serveAhead(session: SyncSession, urgent: boolean, cache: FrameCache | null): void {
    const { storage, limits, nowMs } = this.#context
    // The loop ends, because each turn moves the position towards a head that cannot move meanwhile.
    while (cache && session.state.phase === 'streaming' && !session.busy && !session.rightsInDoubt) {
      const { head } = storage.state
      const { position } = session.state
      if (head === null || position === null || (position.lsn >= head && position.part === null)) return
      if (!session.open) return
      if (this.expire(session)) return
      if (!mayServe(session.state, limits.windowChars)) {
        session.update({ fullSinceMs: session.state.fullSinceMs ?? nowMs() })
        return
      }
      const covered = coveredFrom(session.audiences, storage.startOf, storage.state.trimmedTo, session.author)
      if (covered === null || position.lsn < covered) {
        this.#serveFromHistory(session, urgent)
        return
      }
      for (const frame of cache.nextFrames(position, session.seen, session.author)) {
        if (!this.#offer(session, frame, urgent)) return
      }
    }
  }

  /**
   * Sends a delivery to all sessions that stand at its beginning, before anything is written: frames sent after a write
   * wait until that is durable. The rest, and all other sessions, are served from the log. Rule DIS-R2.
   */
  sendDelivered(transactions: readonly EncodedTransaction[], head: Lsn, to: Lsn): void {
    const { storage, sessions, limits, nowMs } = this.#context
    const cache = new FrameCache(deliveredReader(transactions, to, limits.frameChars))
    const now = nowMs()
    const sent: SyncSession[] = []
    for (const session of sessions.unclosed()) {
      const { phase, position } = session.state
      if (phase !== 'streaming' || session.busy || session.rightsInDoubt) continue
      if (position === null || position.part !== null || position.lsn !== head) continue
      const covered = coveredFrom(session.audiences, storage.startOf, storage.state.trimmedTo, session.author)
      if (covered === null || head < covered) continue
      if (!mayServe(session.state, limits.windowChars) || this.expire(session)) continue
      for (const frame of cache.nextFrames(position, session.seen, session.author)) {
        if (frame.empty || !session.sendText(frame.text, now, frame.next)) break
        if (sent.at(-1) !== session) sent.push(session)
      }
    }
    this.#logDelivered(transactions, to, sent)
  }

  #logDelivered(delivered: readonly EncodedTransaction[], to: Lsn, sent: readonly SyncSession[]): void {
    const { env, storage } = this.#context
    if (sent.length === 0 || !logs(env, 'debug')) return
    log(env, 'frames-sent', {
      object: storage.state.name,
      to,
      transactions: delivered.map(({ lsn }) => lsn),
      count: sent.length,
      sessions: sent.map(({ state }) => state.id),
      clients: sent.map(({ state }) => state.client ?? ''),
    })
  }

  #logServed(session: SyncSession, before: SessionState): void {
    const { state } = session
    if (state.sent === before.sent) return
    const stretch = { from: before.position?.lsn ?? null, to: state.position?.lsn ?? null }
    log(this.#context.env, 'frames-sent', { ...whereIs(this.#context, session), ...stretch })
  }

  /** Closes a session whose token has run out; returns whether it did. */
  expire(session: SyncSession): boolean {
    const { expiresAtMs } = session.state
    if (expiresAtMs === null || this.#context.nowMs() < expiresAtMs) return false
    session.refuse('token-expired', 'The token has run out; connect with a fresh one.', this.#context.nowMs())
    return true
  }

  rehydrate(session: SyncSession, reason: RehydrateReason): void {
    // Its pushes since the hello are not settled, and in another epoch no position of this one holds.
    const change = { phase: 'hydrating', position: null, fullSinceMs: null, settledTo: ZERO_LSN } as const
    session.sendFrame({ type: 'rehydrate', reason }, this.#context.nowMs(), change)
  }

  /** Ends sessions whose pages the definition in force is not for. */
  refuseOutdated(): void {
    const { sessions, storage, nowMs } = this.#context
    for (const session of sessions) {
      try {
        refuseOutdated(session.state.migration, storage.state.bundles)
      } catch (error) {
        session.fault(toTidemarkError(error), nowMs())
      }
    }
  }

  /** Has every session that loads or streams begin anew. */
  rehydrateAll(reason: RehydrateReason): void {
    for (const session of this.#context.sessions) {
      if (isServed(session.state.phase)) this.rehydrate(session, reason)
    }
  }

  #newCache(): FrameCache | null {
    const { storage, log, limits } = this.#context
    return storage.state.head === null ? null : new FrameCache(log.reader(storage.state.head, limits.frameChars))
  }

  /** Sends a frame unless it tells only the head and may wait; returns whether to go on. */
  #offer(session: SyncSession, frame: Frame, urgent: boolean): boolean {
    const { storage, intervals, nowMs } = this.#context
    if (frame.empty && !urgent && !mayNotice(session.state, intervals, nowMs())) {
      if (storage.state.noticeAtMs === null) storage.update({ noticeAtMs: nowMs() + intervals.headNoticeMs })
      return false
    }
    return session.sendText(frame.text, nowMs(), frame.next)
  }

  #serveFromHistory(session: SyncSession, urgent: boolean): void {
    session.busy = true
    this.#context.background(async () => {
      const before = session.state
      try {
        await this.#readForSession(session)
      } finally {
        session.busy = false
        this.#logServed(session, before)
      }
      this.serve(session, urgent)
    })
  }

  /** Reads to the head as it was at the beginning, stopping where the window closes. */
  async #readForSession(session: SyncSession): Promise<void> {
    const { storage, limits, withDatabase } = this.#context
    const { epoch, head } = storage.state
    const started = session.state.position
    if (epoch === null || head === null || started === null) return
    const assembler = new FrameAssembler(started, head, limits.frameChars)
    const { author } = session
    const teller = new MutationTeller(author)
    const from = started.lsn
    const range = { epoch, from, to: head, skip: started.part?.sent ?? 0, mutationsAfter: author?.after ?? ZERO_LSN }
    const identity = { userId: session.state.userId, audiences: session.told }
    let expected: Position | null = started
    const send = (frames: readonly Frame[]): boolean => {
      for (const frame of frames) {
        // Another stream began, or none may go on: these frames are no longer wanted.
        if (session.state.phase !== 'streaming' || session.state.position !== expected || this.expire(session))
          return false
        if (!session.sendText(frame.text, this.#context.nowMs(), frame.next)) return false
        session.keepPlace()
        expected = frame.next
      }
      return mayServe(session.state, limits.windowChars)
    }
    let whole = true
    const sendPage = (page: readonly PlacedChange[]) => {
      for (const change of page) {
        const text = teller.tell(change)
        if (text !== null && !send(assembler.push({ ...change, text }))) {
          whole = false
          return false
        }
      }
      return session.open
    }
    const { outcome } = await withDatabase((database) => readHistory(database, identity, range, sendPage))
    if (outcome === 'ended') await this.#followNewEpoch(epoch)
    else if (outcome === 'pruned') this.#refuse(session, started.lsn)
    else if (whole && session.open) send(assembler.finish(head))
  }

  /** Subscribes to the new history that the database has begun. Throws `unavailable` until capture has noticed it. */
  async #followNewEpoch(epoch: string): Promise<void> {
    await this.#subscription.renew()
    if (this.#context.storage.state.epoch !== epoch) return
    throw new TidemarkError('unavailable', 'The history that was followed has ended; a new one begins.')
  }

  #refuse(session: SyncSession, from: Lsn): void {
    if (session.state.phase === 'streaming' && session.state.position?.lsn === from)
      this.rehydrate(session, 'retention')
  }
}
