import { nanoid } from 'nanoid'
import { TidemarkError } from '../../protocol/index.ts'
import { takePrepared } from './prepared-worker.ts'
import { type Candidacy, type FromWorker, type ToWorker, workerLock } from './tab-messages.ts'

export type WorkerFactory = () => Worker

export interface OwnWorkerOptions extends Omit<Candidacy, 'isVisible'> {
  /** Called when the worker is there, so that it can lead. */
  readonly onLoaded: () => void
  /** Called when the network or the user came back. */
  readonly onWake: () => void
}

/** A worker that closes its database has this long before it is ended. */
const LEAVE_MS = 5_000
/** One that died is made anew after a while, which doubles as long as it dies again and again. */
const REMAKE_MS = 500
const REMAKE_MOST_MS = 60_000

/**
 * The tab's own worker, which leads or waits to lead. It goes before the tab sleeps, since a sleeping one would hold the
 * database, and comes again when the tab does. One that dies, by the browser's doing or its own, comes again too.
 */
export class OwnWorker {
  /** The reason why it did not load; null where it did. */
  fault: TidemarkError | null = null
  readonly #make: WorkerFactory
  readonly #options: OwnWorkerOptions
  readonly #stopListening: () => void
  #worker: Worker | null = null
  #isLoaded = false
  #remakeMs = REMAKE_MS
  #remaking: ReturnType<typeof setTimeout> | undefined

  constructor(make: WorkerFactory, options: OwnWorkerOptions) {
    this.#make = make
    this.#options = options
    this.#stopListening = this.#listen()
    this.#start()
  }

  get isCandidate(): boolean {
    return this.#isLoaded
  }

  /** Lets it close what it holds, and ends it. */
  async leave(): Promise<void> {
    this.#stopListening()
    clearTimeout(this.#remaking)
    const worker = this.#worker
    if (!worker) return
    this.#worker = null
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LEAVE_MS)
      worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
        if (data.type !== 'tidemark-left') return
        clearTimeout(timer)
        resolve()
      })
      if (this.#isLoaded) worker.postMessage({ type: 'tidemark-leave' } satisfies ToWorker)
      else resolve()
    })
    worker.terminate()
  }

  #start(): void {
    clearTimeout(this.#remaking)
    if (this.#worker) return
    this.#isLoaded = false
    const worker = takePrepared() ?? this.#make()
    const lock = workerLock(nanoid())
    this.#worker = worker
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if (data.type === 'tidemark-standing') void this.#watch(worker, lock)
      // One that was prepared may say so twice.
      if (data.type !== 'tidemark-loaded' || this.#worker !== worker || this.#isLoaded) return
      this.#isLoaded = true
      const { replica, tab, options } = this.#options
      const candidacy = { replica, tab, options, isVisible: isVisible() }
      worker.postMessage({ type: 'tidemark-stand', candidacy, lock } satisfies ToWorker)
      this.#options.onLoaded()
    })
    worker.addEventListener('error', (event) => {
      const hint = 'does its file call startReplicaWorker(sync)?'
      const message = `The replica's worker did not load: ${event.message || hint} Reload once you are online.`
      if (!this.#isLoaded) this.fault = new TidemarkError('storage', message)
    })
  }

  /** Waits for the end of a worker, which lets go of its lock with it, and makes another where nobody wanted that. */
  async #watch(worker: Worker, lock: string): Promise<void> {
    const sinceMs = performance.now()
    await navigator.locks.request(lock, () => undefined)
    if (this.#worker !== worker) return
    this.#end()
    const hasLasted = performance.now() - sinceMs > REMAKE_MOST_MS
    this.#remakeMs = hasLasted ? REMAKE_MS : this.#remakeMs
    this.#remaking = setTimeout(() => this.#start(), this.#remakeMs)
    this.#remakeMs = Math.min(2 * this.#remakeMs, REMAKE_MOST_MS)
  }

  /** Ends the worker at once: the database survives that as it survives a crash. */
  #end(): void {
    clearTimeout(this.#remaking)
    this.#worker?.terminate()
    this.#worker = null
    this.#isLoaded = false
  }

  #listen(): () => void {
    const controller = new AbortController()
    const { signal } = controller
    const sleep = () => this.#end()
    const wake = () => {
      this.#start()
      this.#options.onWake()
    }
    document.addEventListener('freeze', sleep, { signal })
    document.addEventListener('resume', wake, { signal })
    addEventListener('pagehide', sleep, { signal })
    addEventListener('pageshow', (event) => event.persisted && wake(), { signal })
    addEventListener('online', () => this.#options.onWake(), { signal })
    document.addEventListener(
      'visibilitychange',
      () => {
        this.#worker?.postMessage({ type: 'tidemark-visible', isVisible: isVisible() } satisfies ToWorker)
        if (isVisible()) this.#options.onWake()
      },
      { signal },
    )
    return () => controller.abort()
  }
}

const isVisible = () => document.visibilityState === 'visible'
