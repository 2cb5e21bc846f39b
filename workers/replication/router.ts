import { clientAudience, isClientAudience, type Lsn } from '../../protocol/index.ts'
import type { Delivery, SubscribeRequest, SyncRpc, UnsentWork } from '../contracts.ts'
import type { ObjectNamespace } from '../env.ts'
import type { SubscriberView } from '../operations-contract.ts'
import type { ReplicationStorage } from './replication-storage.ts'
import { DeliveryLag } from './rules/delivery-lag.ts'
import {
  afterFailure,
  afterReceipt,
  type CapturePosition,
  DELIVERY_PATIENCE_MS,
  deliveryOf,
  isBehind,
  noticeOf,
  type RoutedBatch,
  type RoutedSubscription,
  renewed,
  subscribe,
  withBatch,
} from './rules/subscription.ts'

export interface RouterContext {
  readonly storage: ReplicationStorage
  readonly objects: ObjectNamespace<Pick<SyncRpc, 'deliver'>>
  readonly nowMs: () => number
  readonly random: () => number
  /** Keeps the object alive while a delivery is under way. */
  readonly background: (work: Promise<unknown>) => void
  /** Called once a subscriber acknowledged what it had not since this commit, in ms since 1970 by the server's clock. */
  readonly delivered: (commitMs: number) => void
}

/** Brings each batch to the SyncDOs it concerns, in parallel and waiting for none: each has one delivery in flight. */
export class Router {
  readonly #context: RouterContext
  readonly #subscriptions = new Map<string, RoutedSubscription>()
  readonly #audiences = new Map<string, number>()
  readonly #lag = new DeliveryLag()
  readonly #unsent = new Map<string, UnsentWork>()
  #generation = 0
  #position: CapturePosition | null = null

  constructor(context: RouterContext) {
    this.#context = context
    for (const subscription of context.storage.subscriptions())
      this.#subscriptions.set(subscription.subscriber, subscription)
    this.#countAudiences()
  }

  /** Counts the changes of subscriptions: a batch gathered under an older one lacks audiences that joined since. */
  get generation(): number {
    return this.#generation
  }

  /** Answers whether an audience is subscribed to. All clients' own are: which are there may change meanwhile. */
  readonly wanted = (audience: string): boolean =>
    this.#audiences.has(audience) || (isClientAudience(audience) && this.#subscriptions.size > 0)

  get subscribers(): number {
    return this.#subscriptions.size
  }

  get behind(): number {
    const epoch = this.#position?.epoch
    if (epoch === undefined) return 0
    return [...this.#subscriptions.values()].filter((subscription) => isBehind(subscription, epoch)).length
  }

  /** The subscriber that has owed an acknowledgement for longest; null where none owes one. */
  get longestBehind(): { readonly subscriber: string; readonly ms: number } | null {
    return this.#lag.longest(this.#context.nowMs())
  }

  /** What connected clients could not send, as subscribers told it last. */
  get unsent(): UnsentWork {
    const told = [...this.#unsent.values()]
    const ages = told.flatMap(({ oldestMs }) => oldestMs ?? [])
    return {
      lateClients: told.reduce((sum, { lateClients }) => sum + lateClients, 0),
      oldestMs: ages.length === 0 ? null : ages.reduce((oldest, ms) => Math.max(oldest, ms)),
      failedClients: told.reduce((sum, { failedClients }) => sum + failedClients, 0),
    }
  }

  /** Answers at most `limit` subscribers for people to see, those that owe an acknowledgement for longest first. */
  view(limit: number): SubscriberView[] {
    const nowMs = this.#context.nowMs()
    return [...this.#subscriptions.values()]
      .map(({ subscriber, audiences, acked, leaseUntilMs }) => {
        const clients = [...audiences].filter(isClientAudience).length
        return {
          name: subscriber,
          audiences: audiences.size - clients,
          clients,
          head: acked,
          behindMs: this.#lag.of(subscriber, nowMs),
          leaseUntilMs,
          unsent: this.#unsent.get(subscriber) ?? null,
        }
      })
      .sort((a, b) => (b.behindMs ?? -1) - (a.behindMs ?? -1) || b.clients - a.clients || (a.name < b.name ? -1 : 1))
      .slice(0, limit)
  }

  /** Answers the LSN from which deliveries follow; null where the request is outdated. */
  subscribe(request: SubscribeRequest, position: CapturePosition): Lsn | null {
    const known = this.#subscriptions.get(request.subscriber)
    const next = subscribe(known, request, position, this.#generation + 1, this.#context.nowMs())
    if (next === null) return null
    this.#put(next)
    if (request.unsent) this.#unsent.set(request.subscriber, request.unsent)
    if (next.version !== known?.version || next.epoch !== known.epoch) {
      this.#generation += 1
      this.#countAudiences()
    }
    return next.acked
  }

  /** Prolongs exactly this subscription, whichever clients it names; answers as `subscribe`, null where unknown. */
  renew(request: SubscribeRequest, epoch: string): Lsn | null {
    const known = this.#subscriptions.get(request.subscriber)
    if (known === undefined || known.version !== request.version || known.epoch !== epoch) return null
    this.#put(renewed(known, request, this.#context.nowMs()))
    if (request.unsent) this.#unsent.set(request.subscriber, request.unsent)
    return known.acked
  }

  /** Ends a subscription of a version below `version`. */
  unsubscribe(subscriber: string, version = Number.POSITIVE_INFINITY): void {
    const known = this.#subscriptions.get(subscriber)
    if (known === undefined || known.version >= version) return
    this.#subscriptions.delete(subscriber)
    this.#context.storage.dropSubscription(subscriber)
    this.#lag.forget(subscriber)
    this.#unsent.delete(subscriber)
    this.#countAudiences()
  }

  /** Finds the subscriber at which a client was seen last; null where it is at none. */
  serverOf(client: string): string | null {
    const own = clientAudience(client)
    const found = [...this.#subscriptions.values()].filter(({ audiences }) => audiences.has(own))
    return found.sort((a, b) => b.askedMs - a.askedMs)[0]?.subscriber ?? null
  }

  /** Takes a stored batch, and sends or notes it for each subscriber that it concerns. */
  route(batch: RoutedBatch, generation: number): void {
    const { nowMs } = this.#context
    const { firstCommitMs } = batch.stored
    if (this.#position?.epoch !== batch.epoch) this.#lag.clear()
    this.#position = { epoch: batch.epoch, to: batch.to, definition: batch.definition }
    for (const subscription of this.#subscriptions.values()) {
      const { subscriber, neededTo } = subscription
      const delivery = deliveryOf(subscription, batch, generation, nowMs())
      const owing = withBatch(subscription, batch, generation)
      this.#subscriptions.set(subscriber, owing)
      if (firstCommitMs !== null && owing.neededTo !== neededTo)
        this.#lag.owe(subscriber, { to: batch.to, commitMs: firstCommitMs, sinceMs: nowMs() })
      if (delivery !== null) this.#send(subscription.subscriber, delivery)
    }
  }

  /** Drops leases that ran out, gives up on answers that do not come, and sends again what is due. */
  retryDue(): void {
    const now = this.#context.nowMs()
    for (const subscription of [...this.#subscriptions.values()]) {
      if (subscription.leaseUntilMs <= now) {
        this.unsubscribe(subscription.subscriber)
        continue
      }
      const { sentAtMs } = subscription
      if (sentAtMs !== null && now - sentAtMs < DELIVERY_PATIENCE_MS) continue
      if (sentAtMs !== null) this.#subscriptions.set(subscription.subscriber, { ...subscription, sentAtMs: null })
      if (subscription.retryAtMs !== null && subscription.retryAtMs > now) continue
      this.#sendIfBehind(subscription.subscriber)
      this.#forgetRetry(subscription.subscriber, now)
    }
  }

  /** Tells one subscriber the head now, even where nothing up to it concerns the subscriber. */
  tell(subscriber: string): void {
    const subscription = this.#subscriptions.get(subscriber)
    const position = this.#position
    if (subscription === undefined || position === null || subscription.sentAtMs !== null) return
    if (subscription.acked < position.to) {
      const upToDate = !isBehind(subscription, position.epoch)
      const notice = noticeOf(subscription, position)
      this.#send(subscriber, upToDate ? { ...notice, transactions: [] } : notice)
    }
  }

  /** The time at which `retryDue` next has something to do; null when never. */
  get nextDueMs(): number | null {
    let dueMs: number | null = null
    for (const { retryAtMs, leaseUntilMs } of this.#subscriptions.values()) {
      const candidate = retryAtMs ?? leaseUntilMs
      if (dueMs === null || candidate < dueMs) dueMs = candidate
    }
    return dueMs
  }

  #sendIfBehind(subscriber: string): void {
    const subscription = this.#subscriptions.get(subscriber)
    const position = this.#position
    if (subscription === undefined || position === null || subscription.sentAtMs !== null) return
    if (isBehind(subscription, position.epoch)) this.#send(subscriber, noticeOf(subscription, position))
  }

  /** Forgets a retry that was due and sent nothing: only a head notice had failed, and it is not owed. */
  #forgetRetry(subscriber: string, now: number): void {
    const subscription = this.#subscriptions.get(subscriber)
    if (subscription === undefined || subscription.retryAtMs === null || subscription.retryAtMs > now) return
    this.#subscriptions.set(subscriber, { ...subscription, retryAtMs: null, failures: 0 })
  }

  #send(subscriber: string, delivery: Delivery): void {
    const sentAtMs = this.#context.nowMs()
    const subscription = this.#subscriptions.get(subscriber)
    if (subscription === undefined) return
    this.#subscriptions.set(subscriber, { ...subscription, sentAtMs, retryAtMs: null })
    this.#context.background(this.#deliver(subscriber, delivery, sentAtMs))
  }

  async #deliver(subscriber: string, delivery: Delivery, sentAtMs: number): Promise<void> {
    const { objects, nowMs, random, delivered } = this.#context
    try {
      const receipt = await objects.getByName(subscriber).deliver(delivery)
      const subscription = this.#awaited(subscriber, delivery, sentAtMs)
      if (subscription === null) return
      this.#put(afterReceipt(subscription, delivery, { epoch: receipt.epoch, head: receipt.head }, nowMs(), random()))
      const commitMs = receipt.epoch === this.#position?.epoch ? this.#lag.acknowledge(subscriber, receipt.head) : null
      if (commitMs !== null) delivered(commitMs)
      if (this.#subscriptions.get(subscriber)?.retryAtMs === null) this.#sendIfBehind(subscriber)
    } catch {
      // Whatever failed, the head stays unacknowledged and the alarm sends it again.
      const subscription = this.#awaited(subscriber, delivery, sentAtMs)
      if (subscription !== null) this.#subscriptions.set(subscriber, afterFailure(subscription, nowMs(), random()))
    }
  }

  /** Answers the subscription if this delivery is still the one under way, else null. */
  #awaited(subscriber: string, delivery: Delivery, sentAtMs: number): RoutedSubscription | null {
    const subscription = this.#subscriptions.get(subscriber)
    if (subscription === undefined || subscription.version !== delivery.version) return null
    return subscription.sentAtMs === sentAtMs ? subscription : null
  }

  #put(subscription: RoutedSubscription): void {
    const { storage } = this.#context
    const known = this.#subscriptions.get(subscription.subscriber)
    this.#subscriptions.set(subscription.subscriber, subscription)
    // The audiences of thousands of clients are not written again with each acknowledgement.
    if (known?.audiences === subscription.audiences) storage.updateSubscription(subscription)
    else storage.putSubscription(subscription)
  }

  #countAudiences(): void {
    this.#audiences.clear()
    for (const { audiences } of this.#subscriptions.values()) {
      for (const audience of audiences) {
        if (!isClientAudience(audience)) this.#audiences.set(audience, (this.#audiences.get(audience) ?? 0) + 1)
      }
    }
  }
}
