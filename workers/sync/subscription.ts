import {
  type DefinitionInForce,
  isClientAudience,
  type Lsn,
  maxLsn,
  NO_BUNDLES,
  TidemarkError,
} from '../../protocol/index.ts'
import { REPLICATION_NAME, type SubscribeAnswer } from '../contracts.ts'
import type { DefinitionNote } from './history.ts'
import { joinPosition, nextVersion } from './rules/delivery.ts'
import type { SyncContext } from './sync-context.ts'

const MAX_TURNS = 5
/** Turns for clients alone begin this long after each other, so that a storm of new ones takes few. */
const CLIENT_TURNS_MS = 200

/** The consequences that an answer or a delivery has for sessions. */
export interface SubscriptionEvents {
  /** Another epoch holds: everything known is void. */
  readonly onEpoch: () => void
  readonly onDefinition: () => void
  /** Rights depend on watched tables from now on; earlier changes were not reported. */
  readonly onWatch: () => void
  /** The head may be behind. */
  readonly onTarget: () => void
}

/** A session's client, whose mutations are told to it. */
export interface OwnAudience {
  readonly audience: string
  /** True where mutations that it has sent may already be in the log. */
  readonly unsettled: boolean
}

/** This object's subscription at the ReplicationDO: the union of its sessions' audiences and their clients' own, by lease. */
export class Subscription {
  readonly #context: SyncContext
  readonly #events: SubscriptionEvents
  #running: Promise<void> | null = null
  /** The LSN up to which a gap is being read, without audiences that join meanwhile; null while none is. */
  readingTo: Lsn | null = null
  /** True where the next turn needs an answer by what capture has seen, and not by what is remembered of it. */
  #mustBeFresh = false
  #clientTurnMs = 0

  constructor(context: SyncContext, events: SubscriptionEvents) {
    this.#context = context
    this.#events = events
  }

  /** The subscription being asked for at this moment. */
  get running(): Promise<void> | null {
    return this.#running
  }

  /** Returns once all these audiences have joined and the lease holds. Throws `unavailable`. */
  async ensure(audiences: readonly string[], own: OwnAudience | null = null): Promise<void> {
    const { storage, nowMs } = this.#context
    const { state } = storage
    const missing = audiences.filter((audience) => !storage.audiences.has(audience))
    if (missing.length > 0) {
      const version = nextVersion(state.version, nowMs())
      for (const audience of missing) storage.putAudience(audience, { start: null, version, usedAtMs: nowMs() })
      storage.update({ version })
    }
    if (own && !storage.audiences.has(own.audience)) {
      // It has no part in the version: clients come and go, and deliveries go on.
      storage.putAudience(own.audience, { start: null, version: 0, usedAtMs: nowMs() })
    }
    const all = own ? [...audiences, own.audience] : audiences
    const joined = () => all.every((audience) => storage.startOf(audience) !== null)
    const holds = () => joined() && state.subscribed && state.leaseUntilMs > nowMs()
    // A turn in flight may be without these audiences; the one after it is not.
    for (let turn = 0; turn < MAX_TURNS && !holds(); turn += 1) {
      const clientAlone = own?.unsettled === false && audiences.every((audience) => storage.startOf(audience) !== null)
      if (clientAlone) await this.#renewForClients()
      else {
        this.#mustBeFresh = true
        await this.renew()
      }
    }
    if (!joined()) throw new TidemarkError('unavailable', 'The subscription is not settled; connect again.')
  }

  /** Subscribes anew, whatever is known; with `leaseOnly` nobody is woken. Single flight. Throws `unavailable`. */
  renew(leaseOnly = false): Promise<void> {
    this.#running ??= this.#subscribe(leaseOnly).finally(() => {
      this.#running = null
    })
    return this.#running
  }

  #renewForClients(): Promise<void> {
    this.#running ??= this.#afterPause().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #afterPause(): Promise<void> {
    const { nowMs } = this.#context
    const pauseMs = this.#clientTurnMs + CLIENT_TURNS_MS - nowMs()
    if (pauseMs > 0) await scheduler.wait(pauseMs)
    this.#clientTurnMs = nowMs()
    await this.#subscribe(true)
  }

  /** Ends the subscription, once no session is left. */
  async leave(): Promise<void> {
    const { env, storage, nowMs } = this.#context
    if (storage.state.name === null) return
    // The log of the app's audiences is taken up again from where it was left.
    for (const audience of [...storage.audiences.keys()]) if (isClientAudience(audience)) storage.dropAudience(audience)
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
        // The use is noted seldom, because each row written costs.
        if (unusedMs >= intervals.lingerMs / 4) storage.putAudience(name, { ...row, usedAtMs: nowMs() })
      } else if (unusedMs >= intervals.lingerMs) {
        storage.dropAudience(name)
        dropped ||= !isClientAudience(name)
      }
    }
    if (dropped) storage.update({ version: nextVersion(storage.state.version, nowMs()) })
  }

  noteDefinition(note: DefinitionNote | null): void {
    const { storage } = this.#context
    if (!note || note.version <= storage.state.definitionVersion) return
    const known = storage.state.definitionVersion
    storage.update(namedBy(note))
    // An equal hash does not help: between two versions of the same content another may have held.
    if (known > 0) this.#events.onDefinition()
  }

  noteWatched({ watched = [] }: DefinitionInForce): void {
    const { storage } = this.#context
    const before = storage.state.watches
    storage.update({ watches: watched.length > 0 })
    if (!before && storage.state.watches) this.#events.onWatch()
  }

  async #subscribe(leaseOnly: boolean): Promise<void> {
    const { env, storage, sessions, nowMs } = this.#context
    const { state } = storage
    if (state.name === null) return
    if (state.version === 0) storage.update({ version: nextVersion(0, nowMs()) })
    const { name, version } = state
    const audiences = [...storage.audiences.keys()]
    const askedMs = nowMs()
    const renewal = leaseOnly && !this.#mustBeFresh && state.version === state.answeredVersion
    this.#mustBeFresh = false
    const unsent = sessions.unsent(askedMs)
    const request = { subscriber: name, audiences, version, askedMs, unsent, ...(renewal ? { renewal: true } : {}) }
    const answer = await env.REPLICATION.getByName(REPLICATION_NAME).subscribe(request)
    this.#apply(answer, audiences, version, askedMs)
  }

  #apply(answer: SubscribeAnswer, audiences: readonly string[], version: number, askedMs: number): void {
    const { storage, log } = this.#context
    const { state } = storage
    const before = state.epoch
    if (before !== answer.epoch) {
      log.clear()
      for (const [name, row] of [...storage.audiences]) storage.putAudience(name, { ...row, start: null })
      storage.update({
        ...namedBy(answer.definition),
        epoch: answer.epoch,
        head: answer.routedTo,
        target: answer.routedTo,
      })
      storage.update({ trimmedTo: answer.routedTo, logChars: 0 })
    }
    for (const name of audiences) {
      const row = storage.audiences.get(name)
      if (row && row.start === null) {
        const routedTo = isClientAudience(name) ? answer.capturedTo : answer.routedTo
        storage.putAudience(name, { ...row, start: joinPosition(routedTo, state.head, this.readingTo) })
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
    this.noteWatched(answer.definition)
    if (before !== null && before !== answer.epoch) this.#events.onEpoch()
    else this.noteDefinition(answer.definition)
    this.#events.onTarget()
  }
}

const namedBy = ({ version, hash, bundles = NO_BUNDLES }: DefinitionNote) => ({
  definitionVersion: version,
  definitionHash: hash,
  bundles,
})
