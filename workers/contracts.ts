import type { DefinitionAnswer, DefinitionInForce, Lsn, PushAnswer } from '../protocol/index.ts'
import type { EncodedTransaction } from './encoded-change.ts'

/**
 * What the three Durable Objects ask of each other. Calls are RPC between objects of one deployment; nothing here is
 * reachable from outside.
 */

/** The only ReplicationDO of a deployment. */
export const REPLICATION_NAME = 'main'

export interface SubscribeRequest {
  /** Name of the SyncDO. */
  readonly subscriber: string
  /** The union of its sessions' audiences, and their clients' own. */
  readonly audiences: readonly string[]
  /** Counts up with each change of the union, clients' own audiences aside; an older version than the one known is refused. */
  readonly version: number
  /** By the subscriber's clock: of requests of one version the later says which clients are there. */
  readonly askedMs: number
  /** Only prolongs the lease of what is subscribed already, so that Postgres need not be asked. */
  readonly renewal?: boolean
}

export interface SubscribeAnswer {
  readonly epoch: string
  /** S: the last LSN routed without this subscription; history up to it is read from the database, deliveries follow. */
  readonly routedTo: Lsn
  /** At or past it: what was routed without the clients' own audiences that this request brought. */
  readonly capturedTo: Lsn
  readonly definition: DefinitionInForce
  /** History at or below it is pruned. */
  readonly floor: Lsn
  /** Subscribe again before this many milliseconds have passed. */
  readonly leaseMs: number
}

/** Whose rights may have changed: these users', or everyone's. */
export type RightsChange = readonly string[] | 'all'

/**
 * Everything this subscriber's audiences saw in `(from, to]`, or a notice that there is more to read.
 *
 * `from` is the subscriber's own last delivered head under this subscription version. With `transactions` null the
 * SyncDO reads the gap up to `to` from history.
 */
export interface Delivery {
  readonly epoch: string
  readonly version: number
  readonly from: Lsn
  readonly to: Lsn
  readonly transactions: readonly EncodedTransaction[] | null
  /** Set when the definition in force changed at or before `to`. */
  readonly definition: DefinitionInForce | null
  /** Whose audiences must, because of `transactions`, be asked for anew before anything above `from` is told to them. */
  readonly rights: RightsChange | null
}

/** The SyncDO's answer: how far its log reaches now. */
export interface DeliveryReceipt {
  readonly epoch: string
  readonly head: Lsn
}

export interface FreshHead {
  readonly epoch: string
  /** Every commit that returned before the call began is at or below it, captured and stored. */
  readonly lsn: Lsn
}

export interface ToldHead extends FreshHead {
  /** The SyncDO that was told; null: none. */
  readonly toldTo: string | null
}

/** Whether rights that were asked for still hold, as far as capture has come. */
export interface RightsGuard {
  /** Another one after each change of this user's rights that was captured. */
  readonly mark: string
  /** How long ago everything committed was captured; null where nothing is watched, or nothing was captured yet. */
  readonly behindMs: number | null
}

export interface ReplicationRpc {
  /** Throws `unavailable`, also for an outdated version. */
  subscribe(request: SubscribeRequest): Promise<SubscribeAnswer>
  /** Ends subscriptions of versions below this one: a later one has overtaken the goodbye. */
  unsubscribe(subscriber: string, version: number): Promise<void>
  /** Capture now rather than at the next alarm. */
  kick(): Promise<void>
  /**
   * Captures everything committed so far, then tells the head to the SyncDO that serves `client`, which may be placed elsewhere
   * by now, else to `subscriber`. Throws `unavailable`.
   */
  freshHead(subscriber: string | null, client?: string | null): Promise<ToldHead>
  /** What is in force at the head of the history. Throws `unavailable`. */
  definition(): Promise<DefinitionAnswer>
  /** Arms the alarm if nothing has; the cron watchdog calls it. */
  ensureAlarm(): Promise<void>
  rightsGuard(userId: string): Promise<RightsGuard>
  /** The number under which to look for calls of `onCommitted` that are due; null where none can be, and Postgres need not be asked. */
  owedCalls(): Promise<number | null>
  /** Under this number nothing is left but what is due then. */
  settleCalls(mark: number, dueAtMs: number | null): Promise<void>
  /** What health and `tidemark doctor` show; plain JSON. */
  health(): Promise<ReplicationHealth>
}

/** A push as its request had it, of a session that is checked. */
export interface PushCall {
  readonly session: Session
  /** JSON text. */
  readonly body: string
}

export interface SyncRpc {
  /** Decides a push over a connection that is kept; null where none is free, and then nothing is done. Throws what a client is told. */
  push(call: PushCall): Promise<PushAnswer | null>
  deliver(delivery: Delivery): Promise<DeliveryReceipt>
  /** Brings the log to a fresh head and tells it to this user's sockets at once. Throws `unavailable`. */
  announce(head: FreshHead, userId: string): Promise<void>
  health(): Promise<SyncHealth>
}

export interface SnapshotRpc {
  /**
   * JSON text of the audience's manifest, built now if there is none that holds. The caller has checked the right to it.
   * Throws `unavailable`, `schema-drift`, `limit-exceeded`.
   */
  manifest(audience: string): Promise<{ manifest: string }>
  /** Gzipped bytes of a chunk, checked against its id; null where it is absent: fetch the manifest again. */
  chunk(id: string): Promise<Uint8Array | null>
}

/** One named check with its figures; every health answer is a list of them. */
export interface HealthCheck {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly value: number | string | null
  readonly threshold: number | null
  readonly unit: string | null
  /** What it means and what to do; empty when ok. */
  readonly message: string
}

export interface ReplicationHealth {
  readonly status: 'ok' | 'warn' | 'fail'
  readonly epoch: string | null
  readonly head: Lsn | null
  readonly decoder: string | null
  /** Why that decoder: `auto` says what it found. */
  readonly decoderReason: string | null
  readonly lastCycleAt: string | null
  readonly checks: readonly HealthCheck[]
}

export interface SyncHealth {
  readonly status: 'ok' | 'warn' | 'fail'
  readonly epoch: string | null
  readonly head: Lsn | null
  readonly sockets: number
  readonly audiences: number
  readonly logBytes: number
  readonly checks: readonly HealthCheck[]
}

/** What the Worker tells a SyncDO of an authenticated request, in the header `x-tidemark-session`. */
export interface Session {
  readonly userId: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly audiences: readonly string[]
  readonly expiresAtMs: number | null
  /** The SyncDO's own name; a Durable Object is not told it. */
  readonly syncName: string
}

export const SESSION_HEADER = 'x-tidemark-session'
