import { nanoid } from 'nanoid'
import type { Sync } from '../../db/define-sync.ts'
import { TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import { assembleReplica } from '../assemble-replica.ts'
import { SessionToken } from '../connection/session-token.ts'
import type { LiveConnection, LiveMessage } from '../live/live-messages.ts'
import { type LiveFront, startLive } from '../live/start-live.ts'
import type { SavedHistory } from '../outbox/tab-history.ts'
import type { Replica, ReplicaOptions } from '../replica-api.ts'
import { askPersistence } from '../store/ask-persistence.ts'
import type { Database } from '../store/database.ts'
import { isDevelopment } from '../store/runtime.ts'
import { OwnWorker, type WorkerFactory } from './own-worker.ts'
import { bundleOf, compareBundles } from './rules/compare-bundles.ts'
import { decodeError, encodeError } from './rules/error-data.ts'
import { decodeStatus } from './status-data.ts'
import { TabCore } from './tab-core.ts'
import { TabDatabase } from './tab-database.ts'
import { runLease } from './tab-lease.ts'
import { TabLink } from './tab-link.ts'
import type { TabLock } from './tab-lock.ts'
import type { Announcement, ConnectionWish, LiveCall, ToTab } from './tab-messages.ts'

/** A tab's first leader answers within this time, or says that it is opening the database. */
const FIRST_ANSWER_MS = 15_000
/** A tab's own worker has this long to load before it says that none answers: a slow device compiles it for as long. */
const LOADING_MS = 60_000
/** An opening that has begun gives a sign within this time, fails by itself, or ends with its tab, and another begins. */
const OPENING_MS = 120_000

/** One tab's part in a replica that several share: its worker may lead, whoever leads is asked. */
export class SharedTab<S extends Sync> {
  readonly #options: ReplicaOptions<S>
  readonly #token: SessionToken
  readonly #link: TabLink
  readonly #worker: OwnWorker
  readonly #db: TabDatabase
  readonly #live: LiveFront
  #receiveLive: (message: LiveMessage) => void = () => undefined
  readonly #core: TabCore
  readonly #endLock: () => void
  readonly #onClosing: () => void
  #history: SavedHistory | null = null
  #wish: ConnectionWish | null = null
  /** Set while a newer version of the app leads. */
  #outdated: TidemarkError | null = null
  #opened: { resolve: () => void; reject: (error: Error) => void } | null = null
  #patience: ReturnType<typeof setTimeout> | undefined
  #patienceMs = FIRST_ANSWER_MS
  readonly #sinceMs = performance.now()
  #closed: Promise<void> | null = null

  constructor(options: ReplicaOptions<S>, makeWorker: WorkerFactory, lock: TabLock, onClosing: () => void) {
    this.#options = options
    this.#onClosing = onClosing
    this.#token = new SessionToken(options.token)
    const bundle = bundleOf(options.sync)
    const name = replicaName(options)
    const close = () => this.close()
    this.#link = new TabLink(name, lock.tab, {
      bundle,
      greet: () => ({
        isVisible: document.visibilityState === 'visible',
        isCandidate: this.#worker?.isCandidate ?? false,
        history: this.#history,
        wish: this.#wish,
      }),
      onMessage: (message) => this.#receive(message),
      onSession: () => {
        this.#db.listenAgain()
        this.#live.openAgain()
      },
      onAnnounced: (announcement) => this.#receiveAnnouncement(announcement),
      onSwitching: (isSwitching) => this.#core.showSwitching(isSwitching),
    })
    this.#db = new TabDatabase(this.#link, close)
    this.#core = new TabCore(this.#link, this.#db.order, close)
    this.#live = startLive(
      (send) => this.#connectLive(send),
      () => this.#db.parsers,
    )
    this.#db.live = this.#live.namespace
    this.#endLock = lock.release
    const { url, user, storage, envelope, development = isDevelopment() } = options
    this.#worker = new OwnWorker(makeWorker, {
      replica: name,
      tab: this.#link.tab,
      options: { url, user, development, ...(storage ? { storage } : {}), ...(envelope ? { envelope } : {}) },
      onLoaded: () => {
        this.#link.sayHello()
        this.#expect(this.#patienceMs)
      },
      onWake: () => this.#wake(),
    })
  }

  async open(): Promise<Replica<S>> {
    const opened = new Promise<void>((resolve, reject) => {
      this.#opened = { resolve, reject }
      this.#expect(FIRST_ANSWER_MS)
    })
    try {
      await opened
      await this.#db.refreshArrayTypes()
    } catch (error) {
      await this.close()
      throw error
    } finally {
      clearTimeout(this.#patience)
      this.#opened = null
    }
    const { sync, storage = '', onWarning = console.warn } = this.#options
    const kind = storage.startsWith('memory:') ? 'memory' : 'opfs-ahp'
    void askPersistence(kind).then((persisted) => this.#core.notePersistence(persisted))
    const database = this.#db as unknown as Database
    return assembleReplica<S>({
      core: this.#core,
      state: this.#core,
      db: database,
      live: this.#live,
      names: Object.keys(sync.actions ?? {}),
      runTransaction: (work) => runLease(this.#db, this.#link, true, work),
      nameCall: () => ({ tab: this.#link.tab, call: nanoid() }),
      onFault: (error) => onWarning(toTidemarkError(error)),
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  async #end(): Promise<void> {
    this.#onClosing()
    this.#core.showClosed()
    this.#db.markClosed()
    this.#link.close()
    await this.#worker.leave()
    this.#endLock()
  }

  /** Waits a bounded time for a sign of a leader, which its opening prolongs. */
  #expect(withinMs: number): void {
    this.#patienceMs = withinMs
    clearTimeout(this.#patience)
    if (!this.#opened) return
    this.#patience = setTimeout(() => {
      const { fault, isCandidate } = this.#worker
      // Its own worker may yet lead, and begins to wait only then.
      if (!fault && !isCandidate && performance.now() - this.#sinceMs < LOADING_MS) return this.#expect(withinMs)
      this.#opened?.reject(
        fault ??
          new TidemarkError(
            'stalled',
            'Another tab holds this replica and does not answer: close it, or reload it, and try again.',
          ),
      )
    }, withinMs)
  }

  #receive(message: ToTab): void {
    switch (message.type) {
      case 'welcome':
        this.#outdated = compareBundles(message.bundle, bundleOf(this.#options.sync)) > 0 ? outdatedFault() : null
        this.#show(message)
        this.#opened?.resolve()
        break
      case 'status':
        this.#show(message)
        break
      case 'refused':
        this.#opened?.reject(decodeError(message.error))
        break
      case 'ask-token':
        void this.#answerToken(message.ask)
        break
      case 'history':
        this.#history = message.history
        break
      case 'warning':
        this.#warn(decodeError(message.error))
        break
      case 'live':
        this.#receiveLive(message.message)
        break
      case 'notification':
        this.#db.receiveNotification(message.channel, message.payload)
        break
    }
  }

  #receiveAnnouncement(announcement: Announcement): void {
    switch (announcement.type) {
      case 'leads':
        this.#expect(OPENING_MS)
        break
      case 'opening':
        this.#expect(OPENING_MS)
        if (this.#opened) this.#options.onOpening?.(announcement.progress)
        break
      case 'opening-failed':
        // Each worker tries in its turn; this tab's own says why this tab has none.
        if (announcement.tab === this.#link.tab) this.#opened?.reject(decodeError(announcement.error))
        break
      case 'signed-out':
        this.#core.showLeft()
        this.#live.leave()
        void this.close().catch((error: unknown) => this.#warn(toTidemarkError(error)))
        break
    }
  }

  #show({ status, failures, wish }: Extract<ToTab, { type: 'welcome' | 'status' }>): void {
    if (wish !== null && wish.atMs >= (this.#wish?.atMs ?? 0)) this.#wish = wish
    const { error, ...shown } = decodeStatus(status)
    // It works on, as the newer one leads; what its page lacks comes with a reload.
    this.#core.showStatus({ ...shown, error: error ?? this.#outdated }, failures)
  }

  #warn(error: Error): void {
    const { onWarning = console.warn } = this.#options
    onWarning(toTidemarkError(error))
  }

  #connectLive(send: (message: LiveMessage) => void): LiveConnection {
    this.#receiveLive = send
    const say = (call: LiveCall) => this.#link.send({ type: 'live', call })
    return {
      open: (query, text, held) => say({ do: 'open', query, text, held: held ?? null }),
      acknowledge: (query) => say({ do: 'acknowledge', query }),
      refresh: (query, refresh) => say({ do: 'refresh', query, refresh }),
      close: (query) => say({ do: 'close', query }),
      closeClient: () => undefined,
    }
  }

  async #answerToken(ask: string): Promise<void> {
    try {
      const token = await this.#token.getToken({ fresh: true })
      this.#link.send({ type: 'token', ask, token, error: null })
    } catch (error) {
      this.#link.send({ type: 'token', ask, token: null, error: encodeError(error) })
    }
  }

  #wake(): void {
    // A tab that slept while it was opened has not waited for so long.
    this.#expect(this.#patienceMs)
    this.#link.sayHello()
    void this.#link.call('wake', []).catch(() => undefined)
  }
}

const outdatedFault = () =>
  new TidemarkError('upgrade-required', 'A newer version of this app works for all tabs: reload this one.')

/** Names the replica among those of the origin. */
export const replicaName = ({ user, storage = '' }: Pick<ReplicaOptions, 'user' | 'storage'>) =>
  JSON.stringify([storage, user])
