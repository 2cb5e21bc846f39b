import type { Transaction } from '@electric-sql/pglite'
import {
  type ActivityPage,
  asLsn,
  type HistoryPage,
  type Lsn,
  type MutationId,
  type PastRow,
  parsePgLsn,
  TidemarkError,
} from '../protocol/index.ts'
import type { Http } from './connection/http.ts'
import { onWake } from './connection/on-wake.ts'
import type { ReplicaInspection } from './inspection.ts'
import type { Journal } from './journal/journal.ts'
import type { LiveEngine } from './live/live-engine.ts'
import type { FailureDecision, FailureRecord, MutationRecord } from './mutations/mutation.ts'
import type { ActivityOptions, PageOptions, Past, PastPlan, RowKey } from './outbox/past.ts'
import type { RestoreOptions } from './outbox/rules/plan-restore.ts'
import type { UnsentExport } from './outbox/unsent-work.ts'
import type { Writing } from './outbox/writing.ts'
import { checkUnasked } from './replica/check-unasked.ts'
import { closedFault, offlineFault } from './replica/engine-faults.ts'
import { type Envelope, envelopeOf } from './replica/load-envelope.ts'
import { loadSeldomParts } from './replica/load-seldom-parts.ts'
import type { ReplicaEngine } from './replica/replica-engine.ts'
import type { CheckReport } from './replica/self-check.ts'
import type { ReplicaStatus, StatusListener } from './replica/status.ts'
import type { ReplicaCore, ReplicaState } from './replica-core.ts'
import type { CallOrigin } from './store/call-origin.ts'
import type { Database } from './store/database.ts'
import type { Release } from './store/lock-file.ts'
import { wipe } from './store/open-stored.ts'
import { type FoundOpen, noteClosed, noteCompared } from './store/rows/owner-row.ts'
import { whileClosing } from './store/storage-lock.ts'
import type { Storage } from './store/storage-name.ts'

export interface LocalParts {
  readonly engine: ReplicaEngine
  readonly writing: Writing
  readonly http: Http
  readonly liveEngine: LiveEngine
  readonly db: Database
  readonly journal: Journal | null
  readonly storage: Storage
  readonly release: Release
}

/** The same one each time, as whoever shows it expects. */
const NO_FAILURES: readonly FailureRecord[] = []

/** What few ask for is a part by itself. Rule PRF-R2. */
const loadPast = () => import('./outbox/past.ts')

/**
 * The core of a replica whose engine runs here.
 *
 * The file is long because it has each method of a replica, which pass what is asked to the part that does it.
 */
export class LocalCore implements ReplicaCore, ReplicaState {
  readonly #parts: LocalParts
  readonly #closing = new AbortController()
  readonly #stopWaking: () => void
  readonly #ready: Promise<void>
  #past: Past | null = null
  #hasLeft = false
  #closed: Promise<void> | null = null

  constructor(parts: LocalParts) {
    this.#parts = parts
    this.#stopWaking = onWake(() => this.wake())
    const start = asLsn('0'.repeat(16))
    this.#ready = parts.engine.waits
      .waitFor({ lsn: start, epoch: null, before: null, endsOffline: false, endsRefused: false }, this.status)
      .then(() => {
        // What does not load now is asked for again where it is needed.
        Promise.all([loadSeldomParts(), loadPast()]).catch(() => undefined)
        return parts.writing.prepareKeys()
      })
    // An app that never looks at it must not fail over its rejection.
    this.#ready.catch(() => undefined)
  }

  get storage(): Storage {
    return this.#parts.storage
  }

  /** Notes whether the browser keeps the storage when it runs out of room. */
  notePersistence(persisted: boolean | null): void {
    if (persisted !== null) this.#parts.engine.status.set({ persisted })
  }

  get db(): Database {
    return this.#parts.db
  }

  get status(): ReplicaStatus {
    return this.#parts.engine.status.current
  }

  get failures(): readonly FailureRecord[] {
    return this.#hasLeft ? NO_FAILURES : this.#parts.writing.failures
  }

  get hasLeft(): boolean {
    return this.#hasLeft
  }

  get liveEngine(): LiveEngine {
    return this.#parts.liveEngine
  }

  get writing(): Writing {
    return this.#parts.writing
  }

  /** The tables that are shown, as `schema.name` in lower case. */
  get syncedTables(): ReadonlySet<string> {
    const tables = this.#parts.engine.shown?.tables.keys() ?? []
    return new Set([...tables].map((id) => id.toLowerCase()))
  }

  subscribe(listener: StatusListener): () => void {
    return this.#parts.engine.status.subscribe(listener)
  }

  waitReady(): Promise<void> {
    return this.#ready
  }

  runAction(name: string, args: unknown, by: CallOrigin | null): Promise<MutationId> {
    return this.writing.runAction(name, args, by)
  }

  runTransaction<Result>(work: (tx: Transaction) => Promise<Result>, by: CallOrigin | null) {
    return this.writing.runTransaction(work, by)
  }

  waitConfirmed(id: MutationId): Promise<void> {
    return this.writing.waitConfirmed(id)
  }

  decideFailure(id: MutationId, decision: FailureDecision, by: CallOrigin | null): Promise<MutationId | null> {
    return this.writing.decideFailure(id, decision, by)
  }

  readMutations(limit: number): Promise<MutationRecord[]> {
    return this.writing.readMutations(limit)
  }

  readMutation(id: string): Promise<MutationRecord | null> {
    return this.writing.readMutation(id)
  }

  undo(by: CallOrigin | null): Promise<MutationId | null> {
    return this.writing.undo(by)
  }

  redo(by: CallOrigin | null): Promise<MutationId | null> {
    return this.writing.redo(by)
  }

  async readHistory(table: string, key: RowKey, options: PageOptions): Promise<HistoryPage> {
    this.#checkOnline()
    return (await this.#readPast()).readHistory(table, key, options)
  }

  async readActivity(options: ActivityOptions): Promise<ActivityPage> {
    this.#checkOnline()
    return (await this.#readPast()).readActivity(options)
  }

  async readRowAt(table: string, key: RowKey, at: string): Promise<PastRow> {
    this.#checkOnline()
    return (await this.#readPast()).readRowAt(table, key, at)
  }

  async planRestore(table: string, key: RowKey, at: string, options: RestoreOptions): Promise<PastPlan> {
    this.#checkOnline()
    return (await this.#readPast()).planRestore(table, key, at, options)
  }

  async planRollback(id: string): Promise<PastPlan> {
    this.#checkOnline()
    return (await this.#readPast()).planRollback(id)
  }

  async carryOut(plan: PastPlan, by: CallOrigin | null): Promise<MutationId | null> {
    return (await this.#readPast()).carryOut(plan, by)
  }

  async #readPast(): Promise<Past> {
    const { Past } = await loadPast()
    const { db, http, writing, engine } = this.#parts
    this.#past ??= new Past({ db, http, writing, shown: () => engine.shown, signal: this.#closing.signal })
    return this.#past
  }

  async settled(): Promise<void> {
    const { engine } = this.#parts
    this.#checkOnline()
    await this.writing.settled()
    for (;;) {
      this.#checkOnline()
      const before = this.status.epoch
      const { epoch, lsn } = await engine.askFreshHead(this.#closing.signal)
      this.#checkOnline()
      try {
        return await engine.waits.waitFor({ lsn, epoch, before, endsOffline: true, endsRefused: true }, engine.reached)
      } catch (error) {
        // Only a replica that took up another history than the head's goes on here, and asks for the head anew.
        if (!(error instanceof TidemarkError) || error.kind !== 'rehydrate-required') throw error
      }
    }
  }

  async reached(lsn: Lsn | string): Promise<void> {
    if (this.#closed) throw closedFault()
    const { engine } = this.#parts
    const target = lsn.includes('/') ? parsePgLsn(lsn) : asLsn(lsn)
    const wanted = { lsn: target, epoch: null, before: null, endsOffline: false, endsRefused: true }
    const held = engine.waits.waitFor(wanted, engine.reached)
    const stopAsking = this.#askForHeadBelow(target)
    await held.finally(stopAsking)
  }

  /** Asks for the head once on each connection where nothing has told of this place: on a quiet database nothing else would. */
  #askForHeadBelow(place: Lsn): () => void {
    const { engine } = this.#parts
    let isAsked = false
    const look = ({ phase, head }: ReplicaStatus) => {
      if (phase !== 'live' && phase !== 'catching-up') isAsked = false
      if (phase !== 'live' || isAsked || (head !== null && head >= place)) return
      isAsked = true
      // Where that cannot be had, the stream may still bring it.
      engine.askFreshHead(this.#closing.signal).catch(() => undefined)
    }
    look(this.status)
    return engine.status.subscribe(look)
  }

  /** Looks at once whether the server can be reached, because the network or the user came back. */
  wake(): void {
    this.#parts.engine.connection.dispatch({ type: 'wake' })
    this.writing.resume('wake')
  }

  async inspect(): Promise<ReplicaInspection> {
    const { storage, engine, liveEngine } = this.#parts
    return {
      storage: `${storage.kind} ${storage.name}`,
      frames: engine.connection.frames,
      liveQueries: liveEngine.describe(),
    }
  }

  async goOffline(): Promise<void> {
    this.#parts.engine.connection.dispatch({ type: 'go-offline' })
  }

  async goOnline(envelope: Partial<Envelope> | undefined): Promise<void> {
    const { engine } = this.#parts
    engine.envelope = envelopeOf(envelope, engine.envelope)
    engine.retryRefused()
    engine.connection.dispatch({ type: 'go-online' })
    this.writing.resume('online')
  }

  close(): Promise<void> {
    this.#closed ??= whileClosing(this.#parts.storage, this.#close())
    return this.#closed
  }

  /** Ends because the database is gone, and says so in the status; what is stored can be opened again. */
  async endBy(fault: TidemarkError): Promise<void> {
    if (this.#closed) return
    // What cannot be closed in order went with the database.
    await this.close().catch(() => undefined)
    this.#parts.engine.status.set({ error: fault })
  }

  async retryMigrations(): Promise<void> {
    this.#parts.engine.retryMigrations()
  }

  async reset(): Promise<void> {
    if (this.#closed) throw closedFault()
    if (this.status.phase === 'offline') throw offlineFault()
    await this.#parts.engine.reset()
  }

  async check(): Promise<CheckReport> {
    this.#checkOnline()
    const report = await this.#parts.engine.check(this.#closing.signal)
    await noteCompared(this.db, report.at)
    return report
  }

  /** Compares with the server by itself where the storage was found as nobody leaves it. */
  checkFound(found: FoundOpen, delayMs: number | undefined): void {
    const { status } = this.#parts.engine
    const check = () => this.check()
    void checkUnasked({ found, status, check, nowMs: Date.now(), delayMs }, this.#closing.signal)
  }

  async exportUnsent(limit: number): Promise<UnsentExport> {
    if (this.#closed) throw closedFault()
    return this.writing.exportUnsent(limit)
  }

  async signOut(dropUnsent: boolean): Promise<void> {
    if (!dropUnsent && !this.#closed) await this.writing.requireNoUnsent()
    // The storage of a closed replica may be open elsewhere by now.
    if (this.#closed) throw closedFault()
    this.#closed = whileClosing(this.#parts.storage, this.#closeAndWipe())
    await this.#closed
  }

  async #stop(): Promise<void> {
    const { engine, journal, db } = this.#parts
    this.#closing.abort()
    this.#stopWaking()
    const ends = [
      () => this.liveEngine.stop(),
      () => this.writing.stop(),
      () => engine.stop(),
      () => journal?.close(),
      // Where that cannot be noted, the rows are compared with the server's at the next opening.
      () => noteClosed(db).catch(() => undefined),
      () => db.close(),
    ]
    const faults: unknown[] = []
    // One that fails keeps nothing open of the others.
    for (const end of ends) await Promise.resolve(end()).catch((fault) => faults.push(fault))
    if (faults.length > 0) throw faults[0]
  }

  async #close(): Promise<void> {
    try {
      await this.#stop()
    } finally {
      await this.#parts.release()
    }
  }

  async #closeAndWipe(): Promise<void> {
    const { journal, storage, release } = this.#parts
    // This comes first, so that no unsent work comes back wherever the rest is cut short.
    await journal?.recordLeaving()
    this.#hasLeft = true
    await this.#stop()
    this.#parts.engine.status.set({ pending: 0, failed: 0 })
    try {
      await wipe(storage)
      await journal?.remove()
    } finally {
      // Held until here, so that no other tab opens what is being removed.
      await release()
    }
  }

  #checkOnline(): void {
    if (this.#closed) throw closedFault()
    const { phase, error } = this.status
    if (phase === 'offline') throw offlineFault()
    if (this.#parts.engine.givenUp) throw this.#parts.engine.givenUp
    if (phase === 'refused' && error) throw error
  }
}
