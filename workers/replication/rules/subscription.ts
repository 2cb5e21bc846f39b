import { type DefinitionInForce, type Lsn, maxLsn } from '../../../protocol/index.ts'
import { backoffMs } from '../../backoff.ts'
import type { Delivery, SubscribeRequest } from '../../contracts.ts'
import type { BatchNews } from './batch-tally.ts'
import { selectChanges } from './select-changes.ts'

/** One SyncDO's subscription. Its fields up to `definitionVersion`, but for `askedMs`, outlive the object. */
export interface RoutedSubscription {
  readonly subscriber: string
  readonly audiences: ReadonlySet<string>
  readonly version: number
  /** The time of the request that said which clients are there; it does not outlive the object. */
  readonly askedMs: number
  /** The epoch of the head `acked`. */
  readonly epoch: string
  /** The head that the subscriber acknowledged last, or the LSN from which this version's deliveries follow. */
  readonly acked: Lsn
  readonly leaseUntilMs: number
  /** The version of the definition that the subscriber was told last. */
  readonly definitionVersion: number
  /** The end of the last batch that concerns the subscriber; above it there is nothing for it. */
  readonly neededTo: Lsn
  /** The router's generation at which these audiences were subscribed. */
  readonly generation: number
  /** The time at which the delivery under way was sent; null when there is none. */
  readonly sentAtMs: number | null
  readonly deliveredAtMs: number
  readonly failures: number
  readonly retryAtMs: number | null
}

/** The place up to which history is captured. */
export interface CapturePosition {
  readonly epoch: string
  readonly to: Lsn
  /** The definition in force at `to`. */
  readonly definition: DefinitionInForce
}

/** The news of one cycle, from `from` to `to`, as it is routed to subscribers. */
export interface RoutedBatch extends CapturePosition, BatchNews {
  readonly from: Lsn
}

/** A lease lasts longer than Neon takes to fall asleep, so that idle SyncDOs wake seldom. */
export const LEASE_MS = 10 * 60_000
/** A delivery without an answer for this long counts as failed. */
export const DELIVERY_PATIENCE_MS = 60_000
/** Subscribers for whom nothing happens learn the head this often. */
const HEAD_NOTICE_MS = 10_000

/** Answers the subscription after a request; null where the request is older than the known one. Rule CAP-R20. */
export function subscribe(
  known: RoutedSubscription | undefined,
  request: SubscribeRequest,
  position: CapturePosition,
  generation: number,
  now: number,
): RoutedSubscription | null {
  if (known && request.version < known.version) return null
  // On a renewal, or a request whose answer was lost, deliveries go on from where they stand.
  if (known && request.version === known.version && known.epoch === position.epoch) return renewed(known, request, now)
  return {
    subscriber: request.subscriber,
    audiences: new Set(request.audiences),
    version: request.version,
    askedMs: request.askedMs,
    epoch: position.epoch,
    acked: position.to,
    leaseUntilMs: now + LEASE_MS,
    definitionVersion: position.definition.version,
    neededTo: position.to,
    generation,
    sentAtMs: null,
    deliveredAtMs: now,
    failures: 0,
    retryAtMs: null,
  }
}

/** Prolongs a subscription with the clients that are there now, for which every batch was gathered anyway. */
export function renewed(known: RoutedSubscription, request: SubscribeRequest, now: number): RoutedSubscription {
  const leaseUntilMs = now + LEASE_MS
  if (request.askedMs < known.askedMs) return { ...known, leaseUntilMs }
  const { audiences } = known
  const same = audiences.size === request.audiences.length && request.audiences.every((name) => audiences.has(name))
  return {
    ...known,
    leaseUntilMs,
    audiences: same ? audiences : new Set(request.audiences),
    askedMs: request.askedMs,
  }
}

/** `generation` is that of the subscriptions for which the batch was gathered. */
function isConcerned(subscription: RoutedSubscription, batch: RoutedBatch, generation: number): boolean {
  if (batch.everyone || subscription.generation > generation || subscription.epoch !== batch.epoch) return true
  if (subscription.definitionVersion !== batch.definition.version) return true
  for (const audience of batch.audiences) if (subscription.audiences.has(audience)) return true
  return false
}

/** Answers the delivery to send now that the batch is stored; null when there is none, or not yet. Rule CAP-R21. */
export function deliveryOf(
  subscription: RoutedSubscription,
  batch: RoutedBatch,
  generation: number,
  now: number,
): Delivery | null {
  if (subscription.sentAtMs !== null || subscription.retryAtMs !== null) return null
  const told = subscription.epoch === batch.epoch && subscription.definitionVersion === batch.definition.version
  if (told && subscription.acked >= batch.to) return null
  const concerned = isConcerned(subscription, batch, generation)
  const upToDate = subscription.epoch === batch.epoch && subscription.acked >= subscription.neededTo
  if (!upToDate) return noticeOf(subscription, batch)
  if (!concerned) {
    if (now - subscription.deliveredAtMs < HEAD_NOTICE_MS || subscription.acked >= batch.to) return null
    return { ...noticeOf(subscription, batch), transactions: [] }
  }
  if (batch.transactions === null || subscription.generation > generation) return noticeOf(subscription, batch)
  return {
    ...noticeOf(subscription, batch),
    transactions: selectChanges(subscription.audiences, batch.transactions),
    rights: batch.rights,
  }
}

/** Makes a delivery of a head without its transactions, for which the SyncDO reads the gap from history. */
export function noticeOf(subscription: RoutedSubscription, position: CapturePosition): Delivery {
  const sameEpoch = subscription.epoch === position.epoch
  return {
    epoch: position.epoch,
    version: subscription.version,
    from: sameEpoch ? subscription.acked : position.to,
    to: position.to,
    transactions: null,
    definition: subscription.definitionVersion === position.definition.version ? null : position.definition,
    rights: null,
  }
}

/** Answers the subscription once the batch is stored; where that concerns it, it needs everything up to its end. */
export function withBatch(
  subscription: RoutedSubscription,
  batch: RoutedBatch,
  generation: number,
): RoutedSubscription {
  if (!isConcerned(subscription, batch, generation)) return subscription
  // Positions of another history are not comparable.
  const neededTo = subscription.epoch === batch.epoch ? maxLsn(subscription.neededTo, batch.to) : batch.to
  return { ...subscription, neededTo }
}

/** Answers whether the subscriber must be told something that it has not acknowledged. */
export function isBehind(subscription: RoutedSubscription, epoch: string): boolean {
  return subscription.epoch !== epoch || subscription.acked < subscription.neededTo
}

/** Answers the subscription once a delivery was answered; `random` is 0 to 1. */
export function afterReceipt(
  subscription: RoutedSubscription,
  delivery: Delivery,
  receipt: { readonly epoch: string; readonly head: Lsn },
  now: number,
  random: number,
): RoutedSubscription {
  if (receipt.epoch !== delivery.epoch) return afterFailure(subscription, now, random)
  const reached: RoutedSubscription = {
    ...subscription,
    epoch: delivery.epoch,
    acked: subscription.epoch === delivery.epoch ? maxLsn(subscription.acked, receipt.head) : receipt.head,
    definitionVersion: delivery.definition?.version ?? subscription.definitionVersion,
  }
  // A delivery whose answer falls short would otherwise be sent again at once, for ever.
  if (receipt.head < delivery.to) return afterFailure(reached, now, random)
  return {
    ...reached,
    sentAtMs: null,
    deliveredAtMs: now,
    failures: 0,
    retryAtMs: null,
  }
}

/** Plans the next try after a growing pause; `random` is 0 to 1. */
export function afterFailure(subscription: RoutedSubscription, now: number, random: number): RoutedSubscription {
  const failures = subscription.failures + 1
  return { ...subscription, sentAtMs: null, failures, retryAtMs: now + backoffMs(failures + 1, random) }
}
