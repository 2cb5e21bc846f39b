import {
  type Hello,
  LIMITS,
  type Lsn,
  maxLsn,
  type RehydrateReason,
  TidemarkError,
  toTidemarkError,
  type Welcome,
} from '../../protocol/index.ts'
import { backoffDelayMs } from '../connection/backoff.ts'
import { Connection, type ConnectionHost, type StreamFrame } from '../connection/connection.ts'
import type { ConnectionPhase, ConnectionState } from '../connection/connection-state.ts'
import type { Http } from '../connection/http.ts'
import type { Link } from '../connection/link.ts'
import type { SessionToken } from '../connection/session-token.ts'
import type { Copy } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import type { Applied } from './apply.ts'
import { askFreshHead } from './ask-fresh-head.ts'
import { AskedReset } from './asked-reset.ts'
import { CheckInHand } from './check-in-hand.ts'
import { CursorWaits, type Reached } from './cursor-waits.ts'
import { dropAddition } from './drop-addition.ts'
import { besideFault, closedFault, offlineFault, rightsFault } from './engine-faults.ts'
import type { HydrationTarget } from './fetch-manifests.ts'
import { FollowedMigrations } from './followed-migrations.ts'
import { HeldCopies } from './held-copies.ts'
import { hydrate } from './hydration.ts'
import type { HydrationOptions } from './hydration-options.ts'
import type { BesideOptions } from './load-beside.ts'
import type { HydrationProgress } from './load-copy.ts'
import type { Envelope } from './load-envelope.ts'
import { LoadInHand } from './load-in-hand.ts'
import { loadSeldomParts } from './load-seldom-parts.ts'
import { pause } from './pause.ts'
import type { PendingWork } from './pending-work.ts'
import type { Renewal } from './plan-renewal.ts'
import { TableFault } from './refused-tables.ts'
import { Repair } from './repair.ts'
import type { Progress } from './rules/progress.ts'
import type { CheckHost, CheckReport } from './self-check.ts'
import { ServerReports } from './server-reports.ts'
import { NO_MIGRATIONS, replicaPhase, StatusStore } from './status.ts'
import { StoredCopies } from './stored-copies.ts'
import { Stream, type StreamHost } from './stream.ts'
import { TableFaults } from './table-faults.ts'

export interface EngineOptions {
  readonly db: Database
  readonly clientId: string
  /** The last migration that the page's code knows. */
  readonly migration?: string | undefined
  readonly outbox: PendingWork
  readonly url: string
  readonly http: Http
  readonly token: SessionToken
  readonly openSocket: Link['openSocket']
  readonly rebuilt: string | null
  readonly envelope: Envelope
  /** Reports objects of the app that could not be carried over. */
  readonly warn: (loss: string) => void
  /** Called when audiences were taken from the user, whose rows have just gone from the database. */
  readonly onRevoked: () => void
  /** Goes on where the opening of the database left it. */
  readonly progress: Progress
  /** Called with every step of the connection; `isNew`: the first time live on its socket. */
  readonly onConnectionChanged: (before: ConnectionPhase, state: ConnectionState, isNew: boolean) => void
}

/**
 * Joins the parts: events of the connection become loading, applying and status.
 *
 * It is long because only here connection, stream and loads meet: each method is a callback of one of them, and all of
 * them read what a welcome, a change of rights and a fault leave behind.
 */
export class ReplicaEngine implements ConnectionHost, StreamHost {
  readonly status: StatusStore
  readonly waits = new CursorWaits()
  readonly connection: Connection
  readonly outbox: PendingWork
  /** The bound of the next load. */
  envelope: Envelope
  #options: EngineOptions
  #stream: Stream
  readonly #copies: HeldCopies
  readonly #stored: StoredCopies
  #welcome: HydrationTarget | null = null
  #reason: RehydrateReason = 'new'
  readonly #faults = new TableFaults()
  #retriesRefused = false
  readonly #reset = new AskedReset()
  readonly #repair: Repair
  readonly #reports: ServerReports
  readonly #migrations: FollowedMigrations
  readonly #checking = new CheckInHand()
  /** A later definition on its way to what is shown: until it is there, what is shown is behind. */
  #renewal: Renewal | null = null
  readonly #loads = new LoadInHand()
  readonly #stopping = new AbortController()
  #phase: ConnectionPhase = 'offline'
  /** True once this socket was live. */
  #wasLive = false

  constructor(options: EngineOptions) {
    this.#options = options
    this.envelope = options.envelope
    this.status = new StatusStore(options.rebuilt)
    this.#migrations = new FollowedMigrations(NO_MIGRATIONS, (migrations) => {
      this.status.set({ migrations })
      this.#reports.reportMigrations()
      const { givenUp } = this.#migrations
      if (givenUp) this.waits.rejectWaits(givenUp, 'refused')
    })
    this.#copies = new HeldCopies({
      ...options,
      status: this.status,
      migrations: this.#migrations,
      onChanged: (areOthersRefused) => {
        if (areOthersRefused) this.#reports.reportRefused()
        this.#reports.reportMigrations()
        this.waits.resolveReached(this.reached)
        this.#noteShown()
      },
    })
    this.outbox = options.outbox
    this.#stored = new StoredCopies(options.outbox, this.#copies)
    this.#repair = new Repair(this.#stored, this.status, (fault) => {
      const { version } = this.status.current.migrations
      if (version !== null) this.#migrations.noteFault(version, fault)
      this.connection.dispatch({ type: 'reconnect' })
    })
    this.#stream = new Stream(this.outbox, this)
    const { url, clientId: client, token, openSocket } = options
    this.connection = new Connection({ url, client, token, openSocket, host: this })
    this.#reports = new ServerReports(this.connection, this.status)
    this.status.subscribe(() => this.#reports.reportUnsent())
  }

  /** `prepare` is awaited before anything is asked of the server. */
  async start(prepare: () => Promise<void> = async () => undefined): Promise<void> {
    await this.#stored.read()
    await this.outbox.start()
    await prepare()
    this.connection.dispatch({ type: 'go-online' })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.connection.dispatch({ type: 'close' })
    await this.#loads.whenIdle()
    await this.#stream.whenIdle()
    await this.#stream.flushCursor().catch(() => undefined)
    await this.outbox.stop()
  }

  get live(): Copy | null {
    return this.#copies.live
  }

  get shown(): Copy | null {
    return this.#copies.shown
  }

  /** The place up to which everything is here; it is not ready while renewed tables are on their way. */
  get reached(): Reached {
    const { current } = this.status
    return this.#renewal === null ? current : { ...current, ready: false }
  }

  /** The next connection loads everything anew, refused tables too. */
  retryRefused(): void {
    this.#faults.forgetFaults()
    this.#migrations.forgetFailures()
    this.#retriesRefused = Object.keys(this.status.current.refused).length > 0
  }

  /** Loads everything anew; resolves when it is shown. Rejects where the replica ends offline, refused or closed before. */
  reset(): Promise<void> {
    this.#faults.forgetFaults()
    const shown = this.#reset.ask()
    this.connection.dispatch({ type: 'reconnect' })
    return shown
  }

  #noteShown(): void {
    if (this.#copies.streamed?.stage === 'joined') this.#reset.noteShown()
  }

  /** Compares what is held with the server, and loads anew what differs. Rejects with TidemarkError. */
  check(signal: AbortSignal): Promise<CheckReport> {
    const host: CheckHost = {
      store: this.outbox,
      http: this.#options.http,
      checkable: () => (this.#renewal === null && this.shown?.behind.size === 0 ? this.shown : null),
      reach: (lsn) => this.#reach(lsn, signal),
      pause: (round, ends) => pause(backoffDelayMs(round, Math.random()), ends),
      nowIso: () => new Date().toISOString(),
    }
    return this.#checking.run(host, signal, async (report) => {
      if (report.differed.length > 0) await this.#repair.load(report.differed, signal)
      this.status.set({ check: report })
    })
  }

  async #reach(lsn: Lsn, signal: AbortSignal): Promise<void> {
    const { epoch: before } = this.status.current
    const head = await this.askFreshHead(signal)
    const wanted = { lsn: maxLsn(lsn, head.lsn), epoch: head.epoch, before, endsOffline: true, endsRefused: true }
    await this.waits.waitFor(wanted, this.reached)
  }

  /** The reason why a version of the schema is not tried again by itself; null where it is. */
  get givenUp(): TidemarkError | null {
    return this.#migrations.givenUp
  }

  /** Tries now what failed of the schema's versions, tables that could not be held too; nothing where nothing failed. */
  retryMigrations(): void {
    const { phase, refused, migrations } = this.status.current
    const isRefused = Object.keys(refused).length > 0
    if (migrations.failed === null && !isRefused && phase !== 'refused') return
    const isGivenUp = this.givenUp !== null
    if (isRefused) this.retryRefused()
    else if (this.#migrations.forgetFailures()) return
    const isStreaming = phase === 'live' || phase === 'catching-up'
    // A load that goes on is a try; it begins anew only where nothing is loaded.
    if (isStreaming && !isRefused && !isGivenUp) return
    if (isStreaming) this.#reportFailure(new TidemarkError('unavailable', 'The schema is tried again, as was asked.'))
    this.connection.dispatch({ type: phase === 'refused' ? 'go-online' : 'wake' })
  }

  async makeHello(): Promise<Hello> {
    await this.#loads.whenIdle()
    await this.#stream.whenIdle()
    if (this.#reset.isAsked) {
      await this.#stored.dropUnfinished()
      this.#reset.noteLoading()
    }
    await this.#repair.markBehind()
    const { clientId, migration } = this.#options
    const copy = this.#retriesRefused || this.#reset.isLoadDue ? null : this.#copies.streamed
    this.#retriesRefused = false
    return {
      type: 'hello',
      protocol: LIMITS.protocolVersion,
      client: clientId,
      epoch: copy?.epoch ?? null,
      cursor: copy?.cursor ?? null,
      definitionVersion: copy?.definition.version ?? null,
      definitionHash: copy?.definition.hash ?? null,
      audiences: [...(copy?.joins.keys() ?? [])],
      unsettled: await this.outbox.hasUnsettledSent(),
      ...(migration === undefined ? {} : { migration }),
    }
  }

  receiveWelcome(welcome: Welcome): 'stream' | 'hydrate' {
    this.#welcome = welcome
    this.status.set({ head: welcome.head })
    const copy = this.#copies.streamed
    this.#renewal = null
    const holds =
      copy !== null &&
      copy.epoch === welcome.epoch &&
      copy.definition.version === welcome.definitionVersion &&
      copy.definition.hash === welcome.definitionHash &&
      welcome.audiences.every((audience) => copy.joins.has(audience))
    this.#migrations.notePending(copy === null || welcome.definitionVersion === null ? [] : [welcome.definitionVersion])
    if (welcome.resume === 'stream' && holds && !this.#reset.isLoadDue) return 'stream'
    this.#reason = welcome.reason ?? (copy === null ? 'new' : 'audience-granted')
    return 'hydrate'
  }

  receiveRehydrate(reason: RehydrateReason): void {
    this.#reason = reason
    // Places of two histories do not compare: a database that was put back begins below the head of the last one.
    if (reason === 'epoch') this.status.set({ head: null })
    // Epoch and definition may differ from the welcome's.
    if (this.#welcome) this.#welcome = { ...this.#welcome, epoch: null, definitionHash: null }
  }

  hydrate(signal: AbortSignal): Promise<{ epoch: string; from: Lsn }> {
    return this.#loads.run(() => this.#hydrate(signal))
  }

  async #hydrate(signal: AbortSignal): Promise<{ epoch: string; from: Lsn }> {
    const { db, http } = this.#options
    const welcome = this.#welcome
    if (!welcome) throw new TidemarkError('internal', 'A hydration began before the welcome.')
    await this.#stream.whenIdle()
    if (signal.aborted) throw new TidemarkError('unavailable', 'The hydration was broken off.')
    const reason = this.#reason
    this.#reset.noteLoading()
    try {
      await this.#stored.purgeShown(welcome.audiences)
      this.#renewal = await this.#planRenewal(welcome, signal)
      const { shown } = this
      if (this.#renewal && shown) return { epoch: shown.epoch, from: shown.cursor }
      const copy = await hydrate({
        db,
        http,
        welcome,
        envelope: this.envelope,
        signal,
        onProgress: (so) => this.#reportLoading(so, reason),
        onCopiesChanged: (copies) => this.#copies.replaceCopies(copies),
        refusedOf: (epoch, version) => this.#faults.refusedOf(epoch, version),
        outbox: this.outbox,
      })
      this.#reset.noteLoaded()
      this.#noteShown()
      return { epoch: copy.epoch, from: copy.cursor }
    } finally {
      this.status.set({ hydration: null })
    }
  }

  /** Plans to load, where only the definition changed, the tables concerned beside rows that go on streaming. */
  async #planRenewal(welcome: HydrationTarget, signal: AbortSignal): Promise<Renewal | null> {
    const { shown, envelope } = this
    if (!shown || this.#reason !== 'definition' || this.#reset.isLoadDue) return null
    const { planRenewal } = await loadSeldomParts()
    const renewal = await planRenewal({ http: this.#options.http, welcome, signal, envelope }, shown)
    if (renewal)
      this.#migrations.notePending([...renewal.phases.map(({ inForce }) => inForce.version), renewal.version])
    return renewal
  }

  #reportLoading(so: HydrationProgress, reason: RehydrateReason): void {
    const { progress } = this.#options
    progress.noteLoading(so.bytes, so.totalBytes)
    this.status.set({ hydration: { ...so, reason }, progress: progress.reached })
  }

  startStream(): void {
    const copy = this.#copies.streamed
    const renewal = this.#renewal
    const prepare = async (current: Copy) => {
      const prepared = await this.#prepareStream(current)
      if (renewal && renewal.renewed.size > 0) this.#loadRenewed(prepared, renewal)
      return prepared
    }
    if (copy) this.#stream.start(copy, prepare, renewal)
    this.#reports.begin()
    // On a quiet database nothing else would soon bring the head past the fences.
    if (copy?.stage === 'window') void this.askFreshHead(this.#stopping.signal).catch(() => undefined)
    if (!copy) this.#reportFailure(new TidemarkError('internal', 'There is nothing to stream into.'))
  }

  async #prepareStream(copy: Copy): Promise<Copy> {
    const kept = await this.#stored.keepStreamed(copy, this.#welcome?.audiences ?? [])
    this.#compareWithHead(kept.cursor)
    return kept
  }

  stopStream(): void {
    this.#loads.abortBeside()
    this.#stream.stop()
  }

  receiveStreamFrame(frame: StreamFrame, received: number): void {
    const { phase } = this.connection.state
    const streams = phase === 'catching-up' || phase === 'live'
    if (frame.type === 'audiences' || frame.type === 'restarted') {
      if (streams) this.#stream.enqueueFrame(frame, received)
      else if (frame.type === 'audiences') this.#reportFailure(rightsFault())
      return
    }
    const head = maxLsn(this.status.current.head ?? this.#lsnOf(frame), this.#lsnOf(frame))
    if (head !== this.status.current.head) this.status.set({ head })
    if (streams) this.#stream.enqueueFrame(frame, received)
  }

  onRightsChanged(copy: Copy, audiences: readonly string[], granted: readonly string[]): void {
    if (this.#welcome) this.#welcome = { ...this.#welcome, audiences }
    this.#copies.replaceCopies(this.#copies.all.filter(({ place }) => place !== copy.place).concat(copy))
    this.#loads.abortBeside()
    if (granted.length === 0) return
    this.#loadBeside('audience-granted', async (options) => {
      const { loadAddition } = await loadSeldomParts()
      const welcome = { ...options.welcome, epoch: copy.epoch, audiences: granted }
      return loadAddition({ ...options, welcome, refusedOf: () => copy.refused }, copy)
    })
  }

  #loadRenewed(copy: Copy, renewal: Renewal): void {
    if (this.givenUp) return
    this.#loadBeside('definition', async (options) => {
      await this.#migrations.pause(options.signal)
      const { loadRenewal } = await loadSeldomParts()
      const refusedOf = (epoch: string, version: number) => this.#faults.refusedOf(epoch, version)
      return loadRenewal({ ...options, refusedOf }, copy, renewal)
    })
  }

  /** Loads something beside what is shown, for it to join the stream; where that fails, the connection begins anew. */
  #loadBeside(reason: RehydrateReason, load: LoadBeside): void {
    this.#loads.runBeside(async (signal) => {
      const welcome = this.#welcome
      if (!welcome) return
      const { db, http } = this.#options
      const onProgress: HydrationOptions['onProgress'] = (so) => this.status.set({ hydration: { ...so, reason } })
      try {
        const addition = await load({ db, http, welcome, signal, onProgress, envelope: this.envelope })
        if (!signal.aborted) {
          this.#stream.joinAddition(addition)
          // On a quiet database nothing else would soon bring the head past the fences.
          void this.askFreshHead(this.#stopping.signal).catch(() => undefined)
        }
        // Granted audiences that came too late are dropped here; renewed tables are dropped by the next stream.
        else if (reason === 'audience-granted') await dropAddition(db)
      } catch (error) {
        if (signal.aborted) return
        const fault = besideFault(reason, error)
        if (this.#renewal && reason === 'definition') this.#migrations.noteFailure(this.#renewal.version, fault)
        this.#reportFailure(fault)
      } finally {
        this.status.set({ hydration: null })
      }
    })
  }

  restartStream(epoch: string, from: Lsn, rowsTo: Lsn | null): void {
    this.connection.restartStream(epoch, from, rowsTo)
  }

  #lsnOf(frame: Extract<StreamFrame, { type: 'batch' | 'part' | 'fragment' }>): Lsn {
    return frame.type === 'fragment' ? frame.lsn : frame.head
  }

  onApplied({ copy, changes, missed }: Applied): void {
    if (copy.definition.version === this.#renewal?.version && copy.behind.size === 0) this.#renewal = null
    // A copy that joined has taken the place of the one that was shown.
    this.#copies.replaceCopies(
      this.#copies.all.filter(({ place }) => place !== copy.place && copy.stage !== 'joined').concat(copy),
    )
    if (missed !== null) this.#migrations.noteFault(copy.definition.version, missed)
    if (changes > 0) this.status.set({ lastChangeAt: new Date().toISOString() })
    this.#compareWithHead(copy.cursor)
  }

  #compareWithHead(cursor: Lsn): void {
    const { head } = this.status.current
    const joined = this.#copies.streamed?.stage === 'joined'
    this.connection.dispatch({ type: joined && (head === null || cursor >= head) ? 'caught-up' : 'fell-behind' })
  }

  acknowledge(received: number, cursor: Lsn): void {
    this.connection.acknowledge(received, cursor)
  }

  onFailed(error: TidemarkError, copy: Copy): void {
    if (error instanceof TableFault) this.#faults.noteFault(error, this.#copies.all)
    if (error.kind !== 'rehydrate-required') {
      this.#reportFailure(error)
      return
    }
    // Rows that contradict the stream are never mended in place: the next hello holds nothing, and all is loaded anew.
    this.#reason = 'diverged'
    this.#reset.noteLoading()
    this.#stored.breakCopy(copy).then(
      () => this.#reportFailure(error),
      (fault: unknown) => this.#reportFailure(toTidemarkError(fault)),
    )
  }

  #reportFailure(error: TidemarkError): void {
    this.connection.dispatch({ type: 'failed', error })
  }

  onStateChanged(state: ConnectionState): void {
    const error = 'error' in state ? { error: state.error } : state.phase === 'live' ? { error: null } : {}
    this.status.set({ phase: replicaPhase(state.phase), ...error })
    if (state.phase === 'closed') this.#rejectWaits(closedFault(), 'all')
    if (state.phase === 'offline') this.#rejectWaits(offlineFault(), 'offline')
    if (state.phase === 'refused') this.#rejectWaits(state.error, 'refused')
    if (state.phase === 'greeting') this.#wasLive = false
    this.#options.onConnectionChanged(this.#phase, state, !this.#wasLive)
    if (state.phase === 'live') this.#wasLive = true
    this.#phase = state.phase
  }

  #rejectWaits(error: TidemarkError, which: 'offline' | 'refused' | 'all'): void {
    this.waits.rejectWaits(error, which)
    this.#reset.giveUp(error)
  }

  /** Asks for the server's head now; throws TidemarkError. */
  askFreshHead(signal: AbortSignal): Promise<{ readonly epoch: string; readonly lsn: Lsn }> {
    return askFreshHead(this.#options.http, this.#options.clientId, signal)
  }
}

type LoadBeside = (options: Omit<BesideOptions, 'refusedOf'>) => Promise<Copy>
