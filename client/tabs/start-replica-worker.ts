import type { Sync } from '../../db/define-sync.ts'
import { prepareEngine } from '../store/prepare-engine.ts'
import { Leadership } from './lead.ts'
import { bundleOf, leadsBetter } from './rules/compare-bundles.ts'
import {
  type Announcement,
  announcementChannel,
  type Candidacy,
  type FromWorker,
  leaderLock,
  type ToWorker,
} from './tab-messages.ts'

/** A worker that was granted the lead gives better ones this long to object. */
const OBJECTION_MS = 60
/** A worker that could not open the replica lets the others try, and tries again after a while that doubles. */
const RETRY_MS = 1_000
const RETRY_MOST_MS = 60_000

/**
 * Runs the replica of all tabs in the dedicated worker whose file calls this: one of the tabs' workers leads, the others
 * wait to. The file holds nothing else but the import of the sync module.
 */
export function startReplicaWorker(sync: Sync): void {
  const bundle = bundleOf(sync)
  let candidate: Candidate | null = null
  addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
    if (data.type === 'tidemark-stand') {
      candidate ??= new Candidate(sync, data.candidacy)
      void navigator.locks.request(data.lock, () => {
        say({ type: 'tidemark-standing' })
        return new Promise(() => undefined)
      })
      void candidate.run()
    }
    if (data.type === 'tidemark-prepare') void prepareEngine().then(() => say({ type: 'tidemark-prepared' }))
    if (data.type === 'tidemark-hello') say({ type: 'tidemark-loaded', bundle })
    if (data.type === 'tidemark-visible' && candidate) candidate.isVisible = data.isVisible
    if (data.type === 'tidemark-leave')
      void (candidate?.leave() ?? Promise.resolve()).then(() => say({ type: 'tidemark-left' }))
  })
  say({ type: 'tidemark-loaded', bundle })
}

const say = (message: FromWorker) => postMessage(message)

/** A worker that waits to lead, leads, and waits again. */
class Candidate {
  isVisible: boolean
  readonly #sync: Sync
  readonly #candidacy: Candidacy
  readonly #channel: BroadcastChannel
  readonly #leaving = new AbortController()
  #leadership: Leadership | null = null
  #running: Promise<void> | null = null
  #isObjected = false
  #granted: string | null = null

  constructor(sync: Sync, candidacy: Candidacy) {
    this.#sync = sync
    this.#candidacy = candidacy
    this.isVisible = candidacy.isVisible
    this.#channel = new BroadcastChannel(announcementChannel(candidacy.replica))
    this.#channel.onmessage = ({ data }: MessageEvent<Announcement>) => this.#receive(data)
  }

  get #bundle() {
    return bundleOf(this.#sync)
  }

  run(): Promise<void> {
    this.#running ??= this.#run()
    return this.#running
  }

  /** Ends its lead, or its wait for one. */
  async leave(): Promise<void> {
    this.#leaving.abort()
    this.#leadership?.end()
    await this.#running
    this.#channel.close()
  }

  async #run(): Promise<void> {
    const { signal } = this.#leaving
    const name = leaderLock(this.#candidacy.replica)
    let retryMs = RETRY_MS
    while (!signal.aborted) {
      try {
        // The worker itself holds the lock, so that lock, files and engine end together.
        const isFault = await navigator.locks.request(name, { signal }, () => this.#leadIfBest())
        retryMs = isFault ? Math.min(2 * retryMs, RETRY_MOST_MS) : RETRY_MS
        if (isFault) await pause(retryMs * (0.5 + Math.random() / 2), signal)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  }

  /** Answers whether it was to lead and could not. */
  async #leadIfBest(): Promise<boolean> {
    const granted = `${this.#candidacy.tab}-${performance.now()}`
    this.#granted = granted
    this.#isObjected = false
    this.#announce({ type: 'granted', leader: granted, bundle: this.#bundle, isVisible: this.isVisible })
    await pause(OBJECTION_MS, this.#leaving.signal)
    this.#granted = null
    if (this.#isObjected || this.#leaving.signal.aborted) return false
    const { isVisible } = this
    this.#leadership = new Leadership({
      sync: this.#sync,
      candidacy: { ...this.#candidacy, isVisible },
      bundle: this.#bundle,
      announce: (announcement) => this.#announce(announcement),
    })
    const wasOpen = await this.#leadership.run()
    this.#leadership = null
    return !wasOpen
  }

  #announce(announcement: Announcement): void {
    this.#channel.postMessage(announcement)
  }

  #receive(announcement: Announcement): void {
    if (announcement.type === 'hello') this.#leadership?.greet(announcement)
    if (announcement.type === 'objection' && announcement.leader === this.#granted) this.#isObjected = true
    if (announcement.type === 'signed-out') void this.leave()
    if (announcement.type !== 'granted' || this.#leadership) return
    const own = { bundle: this.#bundle, isVisible: this.isVisible }
    if (leadsBetter(own, announcement)) this.#announce({ type: 'objection', leader: announcement.leader })
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
