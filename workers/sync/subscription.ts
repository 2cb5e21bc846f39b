import { type Lsn, maxLsn, TidemarkError } from '../../protocol/index.ts'
import { REPLICATION_NAME, type SubscribeAnswer } from '../contracts.ts'
import type { DefinitionNote } from './history.ts'
import { joinPosition, nextVersion } from './rules/delivery.ts'
import type { SyncContext } from './sync-context.ts'

const MAX_TURNS = 5

/** What follows from an answer or a delivery, for whoever serves the sessions. */
export interface SubscriptionEvents {
  /** Another epoch holds: everything known is void. */
  readonly onEpoch: () => void
  readonly onDefinition: () => void
  /** The head may be behind. */
  readonly onTarget: () => void
}

/** This object's subscription at the ReplicationDO: the union of its sessions' audiences, by lease. */
export class Subscription {
  readonly #context: SyncContext
  readonly #events: SubscriptionEvents
  #running: Promise<void> | null = null
  /** Up to where a gap is being read without audiences that join meanwhile. */
  readingTo: Lsn | null = null

  constructor(context: SyncContext, events: SubscriptionEvents) {
    this.#context = context
    this.#events = events
  }

  /** The subscription being asked for at this moment. */
  get running(): Promise<void> | null {
    return this.#running
  }

  /** Returns once all these audiences have joined and the lease holds. Throws `unavailable`. */
  async ensure(audiences: readonly string[]): Promise<void> {
    const { storage, nowMs } = this.#context
    const { state } = storage
    const missing = audiences.filter((audience) => !storage.audiences.has(audience))
    if (missing.length > 0) {
      const version = nextVersion(state.version, nowMs())
      for (const audience of missing) storage.putAudience(audience, { start: null, version, usedAtMs: nowMs() })
      storage.update({ version })
    }
    const joined = () => audiences.every((audience) => (storage.audiences.get(audience)?.start ?? null) !== null)
    const holds = () => joined() && state.subscribed && state.leaseUntilMs > nowMs()
    // A turn in flight may be without these audiences; the one after it is not.
    for (let turn = 0; turn < MAX_TURNS && !holds(); turn += 1) await this.renew()
    if (!joined()) throw new TidemarkError('unavailable', 'The subscription is not settled; connect again.')
  }

  /** Subscribes anew, whatever is known; single flight. Throws `unavailable`. */
  renew(): Promise<void> {
    this.#running ??= this.#subscribe().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  /** Leaves, once nobody is here. */
  async leave(): Promise<void> {
    const { env, storage, nowMs } = this.#context
    if (storage.state.name === null) return
    const version = nextVersion(storage.state.version, nowMs())
    storage.update({ subscribed: false, leaseUntilMs: 0, version })
    await env.REPLICATION.getByName(REPLICATION_NAME).unsubscribe(storage.state.name, version)
  }

  /** Forgets audiences that no session has had for long; the next subscription goes without them. */
  dropUnused(used: ReadonlySet<string>): void {
    const { storage, nowMs, intervals } = this.#context
    let dropped = false
    for (const [name, row] of [...storage.audiences]) {
      const unusedMs = nowMs() - row.usedAtMs
      if (used.has(name)) {
        // Seldom enough, since rows written are what costs.
        if (unusedMs >= intervals.lingerMs / 4) storage.putAudience(name, { ...row, usedAtMs: nowMs() })
      } else if (unusedMs >= intervals.lingerMs) {
        storage.dropAudience(name)
        dropped = true
      }
    }
    if (dropped) storage.update({ version: nextVersion(storage.state.version, nowMs()) })
  }

  noteDefinition(note: DefinitionNote | null): void {
    const { storage } = this.#context
    if (!note || note.version <= storage.state.definitionVersion) return
    const known = storage.state.definitionVersion
    storage.update({ definitionVersion: note.version, definitionHash: note.hash })
    // Whatever its hash: between two versions of the same content another may have held.
    if (known > 0) this.#events.onDefinition()
  }

  async #subscribe(): Promise<void> {
    const { env, storage, nowMs } = this.#context
    const { state } = storage
    if (state.name === null) return
    if (state.version === 0) storage.update({ version: nextVersion(0, nowMs()) })
    const { name, version } = state
    const audiences = [...storage.audiences.keys()]
    const askedMs = nowMs()
    const answer = await env.REPLICATION.getByName(REPLICATION_NAME).subscribe({ subscriber: name, audiences, version })
    this.#apply(answer, audiences, version, askedMs)
  }

  #apply(answer: SubscribeAnswer, audiences: readonly string[], version: number, askedMs: number): void {
    const { storage, log } = this.#context
    const { state } = storage
    const before = state.epoch
    if (before !== answer.epoch) {
      log.clear()
      for (const [name, row] of [...storage.audiences]) storage.putAudience(name, { ...row, start: null })
      const fresh = { definitionVersion: answer.definition.version, definitionHash: answer.definition.hash }
      storage.update({ ...fresh, epoch: answer.epoch, head: answer.routedTo, target: answer.routedTo })
      storage.update({ trimmedTo: answer.routedTo, logChars: 0 })
    }
    for (const name of audiences) {
      const row = storage.audiences.get(name)
      if (row && row.start === null) {
        storage.putAudience(name, { ...row, start: joinPosition(answer.routedTo, state.head, this.readingTo) })
      }
    }
    storage.update({
      floor: answer.floor,
      leaseMs: answer.leaseMs,
      leaseUntilMs: askedMs + answer.leaseMs,
      subscribed: true,
      answeredVersion: version,
      target: maxLsn(answer.routedTo, state.target),
    })
    if (before !== null && before !== answer.epoch) this.#events.onEpoch()
    else this.noteDefinition(answer.definition)
    this.#events.onTarget()
  }
}
