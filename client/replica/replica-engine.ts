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
import { Connection, type ConnectionHost, type StreamFrame } from '../connection/connection.ts'
import type { ConnectionPhase, ConnectionState } from '../connection/connection-state.ts'
import type { Http } from '../connection/http.ts'
import type { SessionToken } from '../connection/session-token.ts'
import { type Copy, deleteCopy, readCopies, setStage } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { dropAside } from '../store/definition-ddl.ts'
import type { Applied } from './apply.ts'
import { askFreshHead } from './ask-fresh-head.ts'
import { CursorWaits, type Reached } from './cursor-waits.ts'
import type { HydrationTarget } from './fetch-manifests.ts'
import { HeldCopies } from './held-copies.ts'
import { type HydrationOptions, hydrate } from './hydration.ts'
import { dropAddition, loadAddition, loadRenewal } from './load-beside.ts'
import type { HydrationProgress } from './load-copy.ts'
import type { Envelope } from './load-envelope.ts'
import type { PendingWork } from './pending-work.ts'
import { planRenewal, type Renewal } from './plan-renewal.ts'
import { purgeAudiences } from './purge-audiences.ts'
import { TableFault } from './refused-tables.ts'
import type { Progress } from './rules/progress.ts'
import { ServerReports } from './server-reports.ts'
import { replicaPhase, StatusStore } from './status.ts'
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
  #welcome: HydrationTarget | null = null
  #reason: RehydrateReason = 'new'
  readonly #faults = new TableFaults()
  #retriesRefused = false
  readonly #reports: ServerReports
  /** A later definition on its way to what is shown: until it is there, what is shown is behind. */
  #renewal: Renewal | null = null
  /** Aborts the load of granted audiences or renewed tables beside what is shown; null while there is none. */
  #addition: AbortController | null = null
  /** The hydration in hand or last broken off; the next waits for it to let go of the database. */
  #hydration: Promise<unknown> = Promise.resolve()
  readonly #stopping = new AbortController()
  #phase: ConnectionPhase = 'offline'
  /** True once this socket was live. */
  #wasLive = false

  constructor(options: EngineOptions) {
    this.#options = options
    this.envelope = options.envelope
    this.status = new StatusStore(options.rebuilt)
    this.#copies = new HeldCopies({
      ...options,
      status: this.status,
      onChanged: (areOthersRefused) => {
        if (areOthersRefused) this.#reports.reportRefused()
        this.#reports.reportMigrations()
        this.waits.resolveReached(this.reached)
      },
    })
    this.outbox = options.outbox
    this.#stream = new Stream(this.outbox, this)
    this.connection = new Connection({ url: options.url, client: options.clientId, token: options.token, host: this })
    this.#reports = new ServerReports(this.connection, this.status)
  }

  /** `prepare` is awaited before anything is asked of the server. */
  async start(prepare: () => Promise<void> = async () => undefined): Promise<void> {
    this.#copies.replaceCopies(await readCopies(this.#options.db))
    await this.outbox.start()
    await prepare()
    this.connection.dispatch({ type: 'go-online' })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.connection.dispatch({ type: 'close' })
    await this.#hydration.catch(() => undefined)
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
    this.#retriesRefused = Object.keys(this.status.current.refused).length > 0
  }

  async makeHello(): Promise<Hello> {
    await this.#hydration.catch(() => undefined)
    await this.#stream.whenIdle()
    const { clientId, migration } = this.#options
    const copy = this.#retriesRefused ? null : this.#copies.streamed
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
    if (welcome.resume === 'stream' && holds) return 'stream'
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

  async hydrate(signal: AbortSignal): Promise<{ epoch: string; from: Lsn }> {
    const before = this.#hydration.catch(() => undefined)
    const running = before.then(() => this.#hydrate(signal))
    this.#hydration = running
    return running
  }

  async #hydrate(signal: AbortSignal): Promise<{ epoch: string; from: Lsn }> {
    const { db, http } = this.#options
    const welcome = this.#welcome
    if (!welcome) throw new TidemarkError('internal', 'A hydration began before the welcome.')
    await this.#stream.whenIdle()
    if (signal.aborted) throw new TidemarkError('unavailable', 'The hydration was broken off.')
    const reason = this.#reason
    try {
      await this.#purgeShown(welcome.audiences)
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
      return { epoch: copy.epoch, from: copy.cursor }
    } finally {
      this.status.set({ hydration: null })
    }
  }

  /** Plans to load, where only the definition changed, the tables concerned beside rows that go on streaming. */
  async #planRenewal(welcome: HydrationTarget, signal: AbortSignal): Promise<Renewal | null> {
    const { shown, envelope } = this
    if (!shown || this.#reason !== 'definition') return null
    return planRenewal({ http: this.#options.http, welcome, signal, envelope }, shown)
  }

  #reportLoading(so: HydrationProgress, reason: RehydrateReason): void {
    const { progress } = this.#options
    progress.noteLoading(so.bytes, so.totalBytes)
    this.status.set({ hydration: { ...so, reason }, progress: progress.reached })
  }

  /** Keeps the copy that is shown while another is loaded aside to this session's audiences too. */
  async #purgeShown(audiences: readonly string[]): Promise<void> {
    const shown = this.live
    const lost = [...(shown?.joins.keys() ?? [])].filter((audience) => !audiences.includes(audience))
    if (!shown || lost.length === 0) return
    await purgeAudiences(this.outbox, shown, lost)
    this.#copies.replaceCopies(await readCopies(this.#options.db))
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

  /** Leaves only the copy that is streamed into, and beside it the one that is shown, with this session's audiences. */
  async #prepareStream(copy: Copy): Promise<Copy> {
    const { db } = this.#options
    const leftover = (await readCopies(db)).find(({ place, stage }) => place === 'aside' && stage !== 'window')
    if (leftover) {
      await dropAddition(db)
    }
    if (copy.place === 'aside') await this.#purgeShown(this.#welcome?.audiences ?? [])
    const lost = [...copy.joins.keys()].filter((audience) => !this.#welcome?.audiences.includes(audience))
    const kept = lost.length === 0 ? copy : await purgeAudiences(this.outbox, copy, lost)
    this.#copies.replaceCopies(
      this.#copies.all
        .filter((other) => other.place !== copy.place && (other.place !== 'aside' || !leftover))
        .concat(kept),
    )
    this.#compareWithHead(kept.cursor)
    return kept
  }

  stopStream(): void {
    this.#addition?.abort()
    this.#addition = null
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
    this.#addition?.abort()
    this.#addition = null
    if (granted.length === 0) return
    this.#loadBeside('audience-granted', (options) => {
      const welcome = { ...options.welcome, epoch: copy.epoch, audiences: granted }
      return loadAddition({ ...options, welcome, refusedOf: () => copy.refused }, copy)
    })
  }

  #loadRenewed(copy: Copy, renewal: Renewal): void {
    this.#loadBeside('definition', async (options) => {
      const refusedOf = (epoch: string, version: number) => this.#faults.refusedOf(epoch, version)
      return loadRenewal({ ...options, refusedOf }, copy, renewal)
    })
  }

  /** Loads something beside what is shown, for it to join the stream; where that fails, the connection begins anew. */
  #loadBeside(reason: RehydrateReason, load: LoadBeside): void {
    const controller = new AbortController()
    const { signal } = controller
    this.#addition = controller
    const before = this.#hydration.catch(() => undefined)
    this.#hydration = before.then(async () => {
      const welcome = this.#welcome
      if (!welcome || signal.aborted) return
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
        if (!signal.aborted) this.#reportFailure(besideFault(reason, error))
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
    if (missed !== null) this.status.set({ migrations: { ...this.status.current.migrations, fault: missed } })
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
    this.#breakCopy(copy).then(
      () => this.#reportFailure(error),
      (fault: unknown) => this.#reportFailure(toTidemarkError(fault)),
    )
  }

  async #breakCopy(copy: Copy): Promise<void> {
    const { db } = this.#options
    await db.transaction(async (tx) => {
      if (copy.place === 'live') return setStage(tx, 'live', 'broken')
      await deleteCopy(tx, 'aside')
      await tx.exec(dropAside())
    })
    this.#copies.replaceCopies(await readCopies(db))
  }

  #reportFailure(error: TidemarkError): void {
    this.connection.dispatch({ type: 'failed', error })
  }

  onStateChanged(state: ConnectionState): void {
    const error = 'error' in state ? { error: state.error } : state.phase === 'live' ? { error: null } : {}
    this.status.set({ phase: replicaPhase(state.phase), ...error })
    if (state.phase === 'closed') this.waits.rejectWaits(closedFault(), 'all')
    if (state.phase === 'offline') this.waits.rejectWaits(offlineFault(), 'offline')
    if (state.phase === 'refused') this.waits.rejectWaits(state.error, 'refused')
    if (state.phase === 'greeting') this.#wasLive = false
    this.#options.onConnectionChanged(this.#phase, state, !this.#wasLive)
    if (state.phase === 'live') this.#wasLive = true
    this.#phase = state.phase
  }

  /** Asks for the server's head now; throws TidemarkError. */
  askFreshHead(signal: AbortSignal): Promise<{ readonly epoch: string; readonly lsn: Lsn }> {
    return askFreshHead(this.#options.http, this.#options.clientId, signal)
  }
}

type LoadBeside = (options: Omit<Parameters<typeof loadRenewal>[0], 'refusedOf'>) => Promise<Copy>

function besideFault(reason: RehydrateReason, error: unknown): TidemarkError {
  if (reason === 'audience-granted')
    return new TidemarkError('unavailable', 'Rows that were granted could not be loaded; they are asked for again.', {
      cause: error,
    })
  const fault = toTidemarkError(error)
  if (fault.kind !== 'not-found') return fault
  return new TidemarkError('unavailable', 'A snapshot is gone; reconnecting.', { cause: fault })
}

const rightsFault = () =>
  new TidemarkError('unavailable', 'The rights of this user changed during the load; connecting again.')
export const closedFault = () => new TidemarkError('unavailable', 'The replica is closed.')
export const offlineFault = () => new TidemarkError('unavailable', 'The replica is offline: call goOnline() first.')
