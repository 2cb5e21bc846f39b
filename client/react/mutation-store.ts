import type { Sync } from '../../db/define-sync.ts'
import type { MutationRecord } from '../mutations/mutation.ts'
import type { Replica } from '../replica-api.ts'
import { mayChangeMutations, type SeenMutation, seenRecord } from './rules/seen-mutation.ts'

/** The most mutations that are read at once: those that a log shows, and that marks of rows cover. */
const READ_AT_ONCE = 200

export const NO_MUTATIONS: readonly SeenMutation[] = []

const stores = new WeakMap<object, MutationStore>()

/** Answers the one store of a replica's mutations. */
export function mutationStoreOf(replica: Replica<Sync>): MutationStore {
  const known = stores.get(replica) ?? new MutationStore(replica)
  stores.set(replica, known)
  return known
}

/**
 * The newest mutations of a replica, and older ones that somebody asks for by id, read again whenever the status says
 * that one may have changed; one reading at a time, and none while nobody listens.
 */
export class MutationStore {
  readonly #replica: Replica<Sync>
  readonly #listeners = new Set<() => void>()
  /** Ids that are asked for, and by how many. */
  readonly #wanted = new Map<string, number>()
  #newest: readonly SeenMutation[] = NO_MUTATIONS
  /** By id; null: not known here. An id that is absent has not been read. */
  #byId: ReadonlyMap<string, SeenMutation | null> = new Map()
  #isReading = false
  #isStale = false
  #stop: () => void = () => undefined

  constructor(replica: Replica<Sync>) {
    this.#replica = replica
  }

  /** The newest mutations, newest first; the same array until one of them changes. */
  get newest(): readonly SeenMutation[] {
    return this.#newest
  }

  /** The mutation of this id; null where it is not known here, undefined before it has been read. */
  one(id: string): SeenMutation | null | undefined {
    return this.#byId.get(id)
  }

  /** Calls back with every change, of the mutation of this id too; answers the function that ends it. */
  subscribe(listener: () => void, id: string | null = null): () => void {
    const own = () => listener()
    if (this.#listeners.size === 0) this.#start()
    this.#listeners.add(own)
    if (id !== null) this.#wanted.set(id, (this.#wanted.get(id) ?? 0) + 1)
    if (id === null || !this.#byId.has(id)) void this.#read()
    return () => {
      this.#listeners.delete(own)
      if (id !== null) this.#unwant(id)
      if (this.#listeners.size === 0) this.#stop()
    }
  }

  #unwant(id: string): void {
    const left = (this.#wanted.get(id) ?? 1) - 1
    if (left > 0) this.#wanted.set(id, left)
    else this.#wanted.delete(id)
  }

  #start(): void {
    let before = this.#replica.status
    this.#stop = this.#replica.subscribe((status) => {
      if (status.phase === 'closed' || mayChangeMutations(before, status)) void this.#read()
      before = status
    })
  }

  async #read(): Promise<void> {
    this.#isStale = true
    if (this.#isReading) return
    this.#isReading = true
    // Those who ask in the same task are answered by one reading.
    await Promise.resolve()
    while (this.#isStale && this.#listeners.size > 0) {
      this.#isStale = false
      // A replica that is closed is read no more, and what is shown stays; one that was signed out of answers that there is nothing.
      const read = await this.#readOnce().catch(() => null)
      if (read === null) break
      this.#show(read)
    }
    this.#isReading = false
  }

  async #readOnce(): Promise<Map<string, MutationRecord | null>> {
    const records = await this.#replica.mutations({ limit: READ_AT_ONCE })
    const read = new Map<string, MutationRecord | null>(records.map((record) => [record.id, record]))
    for (const id of this.#wanted.keys()) if (!read.has(id)) read.set(id, await this.#replica.mutation(id))
    return read
  }

  #show(read: ReadonlyMap<string, MutationRecord | null>): void {
    const nowMs = Date.now()
    const before = this.#byId
    const byId = new Map<string, SeenMutation | null>()
    for (const [id, record] of read) byId.set(id, record && seenRecord(before.get(id) ?? null, record, nowMs))
    const isSame = byId.size === before.size && [...byId].every(([id, one]) => before.has(id) && before.get(id) === one)
    if (isSame) return
    this.#byId = byId
    const newest = [...byId.values()].filter((one) => one !== null).slice(0, READ_AT_ONCE)
    const areSame = newest.length === this.#newest.length && newest.every((one, index) => one === this.#newest[index])
    if (!areSame) this.#newest = newest
    for (const listener of [...this.#listeners]) listener()
  }
}
