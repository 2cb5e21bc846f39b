import type { Sync } from '../../db/define-sync.ts'
import { toTidemarkError } from '../../protocol/index.ts'
import type { Replica, ReplicaOptions } from '../replica-api.ts'
import { NOT_BEGUN, type ReplicaOpening } from './replica-opening.ts'

export type OpenFunction = <S extends Sync>(options: ReplicaOptions<S>) => Promise<Replica<S>>

/** Names a replica in a page: two openings that agree in it are one. */
type ReplicaName = Pick<ReplicaOptions, 'url' | 'user' | 'storage'>

/** While another tab has the replica, it is asked for this often. */
const TAKE_OVER_MS = 2_000

const opened = new Map<string, OpenedOnce>()

/** Loaded when it is first needed, so that rendering on a server loads neither PGlite nor its WebAssembly. */
const openLater: OpenFunction = async (options) => (await import('../open-replica.ts')).openReplica(options)

export const nameOf = ({ url, user, storage }: ReplicaName): string => JSON.stringify([url, user, storage ?? null])

/** Answers the opening of the replica of this name; one that nobody has followed yet has not begun. */
export const openingOf = (name: string): ReplicaOpening => opened.get(name)?.opening ?? NOT_BEGUN

/**
 * Follows the one opening of a replica in this page, and opens it where nobody did; answers the function that ends it.
 * Only what is mounted may call this, so that rendering alone, on a server too, keeps nothing.
 */
export function followOpening(options: ReplicaOptions, listener: () => void, open: OpenFunction = openLater) {
  const name = nameOf(options)
  const once = opened.get(name) ?? new OpenedOnce(options, open)
  opened.set(name, once)
  return once.follow(listener)
}

/** Has the functions of these options called from now on, where the replica is open or opening. */
export function renewOptions(options: ReplicaOptions): void {
  const once = opened.get(nameOf(options))
  if (once) once.options = options
}

/**
 * A replica that is open while somebody follows it, and is closed once nobody does.
 *
 * Steps run one after the other: an opening waits for the closing before it. A follower that comes back at once, as
 * StrictMode makes it do, finds the replica still open.
 */
class OpenedOnce {
  /** The newest options: their functions are called; url, user and storage are those of the first. */
  options: ReplicaOptions
  readonly #open: OpenFunction
  readonly #listeners = new Set<() => void>()
  #opening: ReplicaOpening = NOT_BEGUN
  #steps: Promise<void> = Promise.resolve()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: ReplicaOptions, open: OpenFunction) {
    this.options = options
    this.#open = open
  }

  get opening(): ReplicaOpening {
    return this.#opening
  }

  /** Opens the replica, if it is not open, and calls back with every change; answers the function that ends it. */
  follow(listener: () => void): () => void {
    // Two followers may pass the same function.
    const own = () => listener()
    this.#listeners.add(own)
    this.#step(() => this.#openIfWanted())
    return () => {
      this.#listeners.delete(own)
      queueMicrotask(() => this.#step(() => this.#closeIfUnwanted()))
    }
  }

  #step(work: () => Promise<void>): void {
    this.#steps = this.#steps.then(work)
  }

  async #openIfWanted(): Promise<void> {
    clearTimeout(this.#timer)
    if (this.#listeners.size === 0 || this.#opening.replica) return
    // The words of a tab that waits for another one stay where they are while it asks again.
    if (this.#opening.error?.kind !== 'already-open') this.#set({ error: null, progress: 0 })
    try {
      const replica = await this.#open({
        ...this.options,
        token: () => this.options.token(),
        onOpening: (progress) => {
          this.options.onOpening?.(progress)
          this.#set({ progress })
        },
      })
      this.#set({ replica, error: null, progress: replica.status.progress })
      this.#watchEnd(replica)
    } catch (error) {
      const fault = toTidemarkError(error)
      this.#set({ replica: null, error: fault })
      if (fault.kind === 'already-open') this.#timer = setTimeout(() => this.#retry(), TAKE_OVER_MS)
    }
  }

  /** A replica whose database is gone has closed itself, and can be opened again. */
  #watchEnd(replica: Replica): void {
    const stop = replica.subscribe(({ phase, error }) => {
      if (this.#opening.replica !== replica) return stop()
      if (phase === 'closed' && error?.kind === 'storage') this.#set({ replica: null, error })
    })
  }

  async #closeIfUnwanted(): Promise<void> {
    if (this.#listeners.size > 0) return
    clearTimeout(this.#timer)
    const { replica } = this.#opening
    this.#opening = NOT_BEGUN
    // A sign-out that the device refused was told to those who asked for it.
    await replica?.close().catch(() => undefined)
  }

  #retry(): void {
    this.#step(() => this.#openIfWanted())
  }

  #set(change: Partial<ReplicaOpening>): void {
    this.#opening = { ...this.#opening, retry: () => this.#retry(), ...change }
    for (const listener of [...this.#listeners]) listener()
  }
}
