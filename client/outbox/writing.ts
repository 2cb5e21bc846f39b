import type { Transaction as PGliteTransaction } from '@electric-sql/pglite'
import { counterOf, type MutationId, mutationId, type Outcome, TidemarkError } from '../../protocol/index.ts'
import type { ConnectionPhase, ConnectionState } from '../connection/connection-state.ts'
import type { Http } from '../connection/http.ts'
import type { Journal } from '../journal/journal.ts'
import type { FailureDecision, FailureRecord, MutationRecord } from '../mutations/mutation.ts'
import { readMutations } from '../mutations/mutation-records.ts'
import { UnsentWork } from '../mutations/unsent-work.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import type { Copy } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { readCounts } from '../store/rows/record-rows.ts'
import { Confirmations } from './confirmations.ts'
import { Drain, type DrainHost, type Outgoing } from './drain.ts'
import { Failures } from './failures.ts'
import { KeyLeases } from './key-leases.ts'
import type { Outbox } from './outbox.ts'
import { OutgoingMutations } from './outgoing-mutations.ts'
import { PacedLooks } from './paced-looks.ts'
import { readMutationEnds } from './read-mutation-ends.ts'
import { compareLooks, type FollowedUp, failuresKey, type OutboxLook } from './rules/compare-looks.ts'
import { connectionEvent } from './rules/connection-event.ts'
import { SettledWaits } from './settled-waits.ts'
import type { SavedHistory } from './tab-history.ts'
import { UndoHistory } from './undo-history.ts'
import { exportUnsent, type UnsentExport } from './unsent-work.ts'
import { reportLook, type WritingStatus } from './writing-status.ts'

export interface WritingOptions {
  readonly db: Database
  readonly outbox: Outbox
  readonly http: Http
  readonly user: string
  readonly clientId: string
  /** The last migration that the page's code knows. */
  readonly migration?: string | undefined
  readonly status: WritingStatus
  readonly shown: () => Copy | null
  /** Null where the storage is memory. */
  readonly journal: Journal | null
}

/**
 * Joins the parts of writing: what is written here is sent, waited for, counted, and offered again where it failed.
 *
 * It is long because only here these parts meet: each method is short, and all of them go by what the last look found.
 */
export class Writing implements DrainHost {
  failures: readonly FailureRecord[] = []
  readonly #options: WritingOptions
  readonly #confirmations: Confirmations
  readonly #failures: Failures
  readonly #drain: Drain
  readonly #leases: KeyLeases
  #outgoing: OutgoingMutations
  #undo: UndoHistory
  readonly #waits = new SettledWaits()
  #followedUp: FollowedUp = { notedTo: 0, sentTo: 0, failures: null }
  /** True while mutations may have ended without a notice of it. */
  #mayHaveEnded = true
  /** True while a mutation that is waited for may end with another. */
  #wereSquashed = false
  readonly #looks = new PacedLooks({
    waitForTurn: () => this.#letPushGo(),
    look: () => this.#followUpLook(),
    isAwaited: () => this.#isAwaited,
  })
  /** The number of actions and transactions being run: each looks anew when it is done. */
  #calls = 0
  readonly #lookListeners = new Set<() => void>()
  #stopListening: () => void = () => undefined
  #stopWatching: () => void = () => undefined

  constructor(options: WritingOptions) {
    const { db, outbox, http, clientId, migration, shown, journal } = options
    this.#options = options
    this.#confirmations = new Confirmations(clientId)
    this.#failures = new Failures({ db, outbox, clientId, shown })
    this.#drain = new Drain({ http, client: clientId, migration, host: this })
    this.#undo = new UndoHistory({ outbox, shown, since: 0 })
    this.#leases = new KeyLeases({ db, http, clientId, shown, nowMs: Date.now })
    this.#outgoing = new OutgoingMutations({
      db,
      outbox,
      shown,
      journal,
      leases: this.#leases,
      history: {
        noteWrites: (copy, writes) => this.#undo.noteWrites(copy, writes),
        forgetFailed: (failed) => this.#undo.forgetFailed(failed),
      },
      whileRemaking: (work) => this.#waits.holdWhile(work).finally(() => void this.#looks.lookSoon()),
      onSquashed: () => {
        journal?.noteUnseenEnds()
        this.#mayHaveEnded = true
        this.#wereSquashed = true
      },
    })
  }

  async start(): Promise<void> {
    const { outbox, shown } = this.#options
    const { last } = await readCounts(this.#options.db)
    this.#undo = new UndoHistory({ outbox, shown, since: last })
    await this.#undo.inherit(this.#options.db)
    this.#stopListening = outbox.onChange(({ confirmed, mayHaveEnded }) => {
      this.#mayHaveEnded ||= mayHaveEnded || (this.#wereSquashed && confirmed.length > 0)
      this.#confirmations.resolveHandles(confirmed.map((counter) => ({ counter, rejection: null })))
      if (this.#calls === 0) void this.#looks.lookSoon()
    })
    this.#stopWatching = this.#watchShown()
    await this.#looks.lookSoon()
  }

  /** Tells the drain when a copy comes to be shown, or has all its tables again: work may have waited for it. */
  #watchShown(): () => void {
    let before = false
    return this.#options.status.subscribe(({ ready }) => {
      const isWhole = ready && this.#options.shown()?.behind.size === 0
      if (isWhole && !before) {
        this.#drain.dispatch({ type: 'shown' })
        this.#refillLeases()
      }
      before = isWhole
    })
  }

  async stop(): Promise<void> {
    this.#stopListening()
    this.#stopWatching()
    this.#drain.dispatch({ type: 'close' })
    this.#waits.rejectWaits(new TidemarkError('unavailable', 'The replica is closed.'))
    await this.#leases.stop()
    await this.#drain.whenIdle()
    await this.#looks.whenIdle()
  }

  /** Passes a step of the connection on to sending; `isNew`: the first time live on its socket. */
  onConnectionChanged(before: ConnectionPhase, state: ConnectionState, isNew: boolean): void {
    const event = connectionEvent(before, state, isNew)
    if (event) this.#drain.dispatch(event)
    if (event?.type === 'live') this.#refillLeases(event.isNew)
    // By now there may be rows to show beside failures.
    if (event?.type === 'online' || (event?.type === 'live' && event.isNew)) void this.#looks.lookSoon()
    if (state.phase === 'refused') this.#waits.rejectWaits(state.error)
    if (state.phase === 'offline')
      this.#waits.rejectWaits(new TidemarkError('unavailable', 'The replica is offline: call goOnline() first.'))
  }

  /** Goes on with sending, because the app asks for it (`online`) or the page came back (`wake`). */
  resume(how: 'online' | 'wake'): void {
    if (how === 'wake') this.#drain.dispatch({ type: 'wake' })
    else if (this.#drain.state.phase === 'stopped' && this.#options.status.current.phase === 'live') {
      this.#drain.dispatch({ type: 'live', isNew: true })
    }
  }

  async runAction(name: string, args: unknown, by: CallOrigin | null): Promise<MutationId> {
    return this.#trackMade(await this.#countCall(this.#options.outbox.runAction(name, args, by)))
  }

  /** Runs `work` as one mutation; `id` is null where it wrote nothing that is synced. Rejects with what it throws. */
  async runTransaction<Result>(
    work: (tx: PGliteTransaction) => Promise<Result>,
    by: CallOrigin | null,
  ): Promise<{ readonly id: MutationId | null; readonly result: Result }> {
    const { id, result } = await this.#countCall(this.#options.outbox.runTransaction(work, by))
    if (id !== null) this.#trackMade(id)
    else void this.#looks.lookSoon()
    return { id, result }
  }

  /** Does what the app decides about a failure, and answers the mutation that it made; null where it made none. */
  async decideFailure(id: MutationId, decision: FailureDecision, by: CallOrigin | null): Promise<MutationId | null> {
    const made = await this.#countCall(this.#failures.decideFailure(id, decision, by))
    if (made !== null) this.#trackMade(made)
    else void this.#looks.lookSoon()
    return made
  }

  /** Resolves when a mutation is confirmed, and rejects with MutationFailed when it fails. */
  waitConfirmed(id: MutationId): Promise<void> {
    const counter = counterOf(id)
    if (!this.#confirmations.isWaiting(counter)) {
      this.#mayHaveEnded = true
      void this.#looks.lookSoon()
    }
    return this.#confirmations.openHandle(counter).confirmed
  }

  async undo(by: CallOrigin | null): Promise<MutationId | null> {
    const id = await this.#undo.reverseLast('undo', by)
    return id === null ? null : this.#trackMade(id)
  }

  async redo(by: CallOrigin | null): Promise<MutationId | null> {
    const id = await this.#undo.reverseLast('redo', by)
    return id === null ? null : this.#trackMade(id)
  }

  idOf(counter: number): MutationId {
    return this.#confirmations.idOf(counter)
  }

  /** Calls back after each look at the outbox; answers the function that ends it. */
  onLooked(listener: () => void): () => void {
    this.#lookListeners.add(listener)
    return () => this.#lookListeners.delete(listener)
  }

  /** Begins the history of a tab, which may have one from another engine. */
  async openTab(tab: string, saved: SavedHistory | null): Promise<void> {
    await this.#undo.openTab(this.#options.db, tab, saved)
    void this.#looks.lookSoon()
  }

  /** What each tab may take back. */
  get history(): UndoHistory {
    return this.#undo
  }

  readMutations(limit: number): Promise<MutationRecord[]> {
    return readMutations(this.#options.db, this.#options.clientId, { limit })
  }

  async readMutation(id: string): Promise<MutationRecord | null> {
    const counter = counterOf(id)
    if (!Number.isSafeInteger(counter) || id !== mutationId(this.#options.clientId, counter)) return null
    const [record] = await readMutations(this.#options.db, this.#options.clientId, { counter })
    return record ?? null
  }

  exportUnsent(limit: number): Promise<UnsentExport> {
    const { db, user, clientId, shown } = this.#options
    return exportUnsent(db, { user, clientId, shown: shown(), limit })
  }

  /** Rejects with UnsentWork where anything is not confirmed. */
  async requireNoUnsent(): Promise<void> {
    const { pending, failed } = await readCounts(this.#options.db)
    if (pending > 0 || failed.length > 0) throw new UnsentWork({ pending, failed: failed.length })
  }

  /** Resolves when everything written before is settled. Rejects offline, closed, refused, and where sending has stopped. */
  async settled(): Promise<void> {
    const { last, oldest } = await readCounts(this.#options.db)
    if (oldest === null || oldest > last) return
    const { state } = this.#drain
    if (state.phase === 'stopped' && state.error) throw state.error
    this.#drain.dispatch({ type: 'written', urgency: 'now' })
    const done = this.#waits.waitUpTo(last)
    void this.#looks.lookSoon()
    await done
  }

  async freezeNext(): Promise<Outgoing> {
    const outgoing = await this.#outgoing.freezeNext()
    // Mutations that were squashed to nothing are confirmed by now.
    void this.#looks.lookSoon()
    return outgoing
  }

  async receiveOutcomes(outcomes: readonly Outcome[]): Promise<void> {
    await this.#outgoing.receiveOutcomes(outcomes)
  }

  reportPushError(error: TidemarkError | null): void {
    if (this.#options.status.current.pushError !== error) this.#options.status.set({ pushError: error })
    // This error stops the drain, so nothing that waits for it would ever be settled.
    if (error?.retry === 'never') this.#waits.rejectWaits(error)
  }

  /** Resolves once rows that sequences number can be inserted, or that must wait; never rejects. */
  async prepareKeys(): Promise<void> {
    const { phase } = this.#options.status.current
    if (phase === 'live' || phase === 'catching-up') await this.#leases.prepare()
  }

  #refillLeases(isNew = false): void {
    const { phase } = this.#options.status.current
    if (phase === 'live' || phase === 'catching-up') this.#leases.refillSoon(isNew)
  }

  async #countCall<Result>(call: Promise<Result>): Promise<Result> {
    this.#calls += 1
    try {
      return await call
    } catch (error) {
      void this.#looks.lookSoon()
      throw error
    } finally {
      this.#calls -= 1
    }
  }

  #trackMade(id: MutationId): MutationId {
    const counter = counterOf(id)
    this.#confirmations.openHandle(counter)
    this.#followedUp = { ...this.#followedUp, sentTo: Math.max(this.#followedUp.sentTo, counter) }
    this.#drain.dispatch({ type: 'written', urgency: 'now' })
    void this.#looks.lookSoon()
    return id
  }

  /** Looks at what is settled, counted and failed, and follows it up. */
  async #followUpLook(): Promise<void> {
    const { db, shown, journal } = this.#options
    // Nothing is reported here that the journal has not recorded.
    await journal?.recordAll()
    // Who waited for the same record is answered before this asks the database, unless somebody waits for what it finds.
    if (journal && !this.#isAwaited) await new Promise((resolve) => setTimeout(resolve))
    const copy = shown()
    // Those who wait for a confirmation are served first.
    await this.#resolveConfirmations()
    const look: OutboxLook = { ...(await readCounts(db)), isShown: copy !== null }
    const { notedTo } = this.#followedUp
    const seen = { ...this.#followedUp, notedTo: Math.max(notedTo, this.#undo.seen) }
    const { notesUndo, readsFailures, asksToSend } = compareLooks(seen, look)
    if (notesUndo && copy) await this.#undo.noteMutations(db, copy)
    if (copy) this.#followedUp = { ...this.#followedUp, notedTo: look.last }
    if (readsFailures) await this.#readFailures(look)
    const { canUndo, canRedo } = this.#undo.stateOf(null)
    const now = { pending: look.pending, pendingSince: look.since, failed: look.failed.length, canUndo, canRedo }
    reportLook(this.#options.status, now, readsFailures)
    for (const listener of [...this.#lookListeners]) listener()
    this.#waits.resolveSettled(look)
    this.#refillLeases()
    if (!asksToSend) return
    this.#followedUp = { ...this.#followedUp, sentTo: Math.max(this.#followedUp.sentTo, look.newest) }
    this.#drain.dispatch({ type: 'written', urgency: 'soon' })
  }

  async #readFailures({ isShown, failed }: OutboxLook): Promise<void> {
    this.#undo.forgetFailed(new Set(failed))
    // Where there are none nothing is asked: one that fails meanwhile makes another look due.
    this.failures = failed.length === 0 ? [] : await this.#failures.readFailures()
    // The failures that were read count, not those of the look: more may have failed or been decided on in between.
    const read = this.failures.map(({ id }) => counterOf(id))
    this.#followedUp = { ...this.#followedUp, failures: failuresKey({ isShown, failed: read }) }
  }

  get #isAwaited(): boolean {
    return this.#waits.areAny || (this.#mayHaveEnded && this.#confirmations.waiting.length > 0)
  }

  /** Waits for a push that is being frozen, because it goes first. */
  async #letPushGo(): Promise<void> {
    const { freezing } = this.#drain
    if (freezing === null) return
    await freezing
    await new Promise((resolve) => setTimeout(resolve))
  }

  async #resolveConfirmations(): Promise<void> {
    const { waiting } = this.#confirmations
    if (waiting.length === 0) this.#wereSquashed = false
    if (waiting.length === 0 || !this.#mayHaveEnded) return
    this.#mayHaveEnded = false
    try {
      this.#confirmations.resolveHandles(await readMutationEnds(this.#options.db, waiting))
    } catch (error) {
      this.#mayHaveEnded = true
      throw error
    }
  }
}
