import type { DefinitionAnswer, DefinitionInForce, Lsn, MigrationsAnswer, PushAnswer } from '../protocol/index.ts'
import type { EncodedTransaction } from './encoded-change.ts'

/**
 * The calls that the three Durable Objects make to each other, as RPC between objects of one deployment; nothing here
 * is reachable from outside.
 */

/** Name of the only ReplicationDO of a deployment. */
export const REPLICATION_NAME = 'main'

/** What connected clients report of work that is not settled. */
export interface UnsentWork {
  /** Clients whose work has waited for more than a minute. */
  readonly lateClients: number
  /** The age of the oldest of it, by their clocks; null where there is none. */
  readonly oldestMs: number | null
  /** Clients with mutations that failed and wait for their users. */
  readonly failedClients: number
}

export interface SubscribeRequest {
  /** Name of the SyncDO. */
  readonly subscriber: string
  /** The union of its sessions' audiences, and the audiences of their clients. */
  readonly audiences: readonly string[]
  /**
   * Counts up with each change of the union, clients' own audiences aside; a version older than the known one is
   * refused.
   */
  readonly version: number
  /** By the subscriber's clock: of requests of one version the later one decides which clients are there. */
  readonly askedMs: number
  /** Only prolongs the lease of what is subscribed already, so that Postgres need not be asked. */
  readonly renewal?: boolean
  /** For health. */
  readonly unsent?: UnsentWork
}

export interface SubscribeAnswer {
  readonly epoch: string
  /** S: the last LSN routed without this subscription; history up to it is read from the database, deliveries follow. */
  readonly routedTo: Lsn
  /** At or past `routedTo`: what was routed without the clients' own audiences that this request brought. */
  readonly capturedTo: Lsn
  readonly definition: DefinitionInForce
  /** History at or below this LSN is pruned. */
  readonly floor: Lsn
  /** Subscribe again before this many milliseconds have passed. */
  readonly leaseMs: number
}

/** The users whose rights may have changed, or everyone. */
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
  /**
   * Users whose audiences `transactions` may change; they must be asked for anew before anything above `from` is sent
   * to them.
   */
  readonly rights: RightsChange | null
}

/** The SyncDO's answer: the LSN that its log now reaches. */
export interface DeliveryReceipt {
  readonly epoch: string
  readonly head: Lsn
}

export interface FreshHead {
  readonly epoch: string
  /** Every commit that returned before the call began is at or below this, captured and stored. */
  readonly lsn: Lsn
}

export interface ToldHead extends FreshHead {
  /** The SyncDO that the head was announced to; null: none. */
  readonly toldTo: string | null
}

/** Tells whether rights that were asked for still hold, as far as capture has come. */
export interface RightsGuard {
  /** Differs after each captured change of this user's rights. */
  readonly mark: string
  /**
   * Time since everything committed was captured, in ms; null where nothing is watched, or nothing was captured yet.
   */
  readonly behindMs: number | null
}

export interface ReplicationRpc {
  /** Throws `unavailable`, also for an outdated version. */
  subscribe(request: SubscribeRequest): Promise<SubscribeAnswer>
  /**
   * Ends subscriptions of versions below this one, so that a goodbye cannot end a later subscription that overtook it.
   */
  unsubscribe(subscriber: string, version: number): Promise<void>
  /** Captures now rather than at the next alarm. */
  kick(): Promise<void>
  /**
   * Captures everything committed so far, then announces the head to the SyncDO that serves `client`, which may be
   * placed elsewhere by now, else to `subscriber`. Throws `unavailable`.
   */
  freshHead(subscriber: string | null, client?: string | null): Promise<ToldHead>
  /** Answers the definition in force at the head of the history. Throws `unavailable`. */
  definition(): Promise<DefinitionAnswer>
  /**
   * Answers the versions of the definition after this one, up to the head of the history. Throws `limit-exceeded` where
   * they are too many, and `unavailable`.
   */
  migrations(from: number): Promise<MigrationsAnswer>
  /** Arms the alarm if nothing has; the cron watchdog calls this. */
  ensureAlarm(): Promise<void>
  rightsGuard(userId: string): Promise<RightsGuard>
  /**
   * Answers the mark to settle with once due calls of `onCommitted` have been made; null where none can be due, and
   * Postgres need not be asked.
   */
  owedCalls(): Promise<number | null>
  /** Notes that up to this mark only calls due at `dueAtMs` are left; null: none are. */
  settleCalls(mark: number, dueAtMs: number | null): Promise<void>
  /**
   * Answers the mark to settle with once a consumer of all changes has handled what is captured; null where nothing was captured
   * since, and Postgres need not be asked.
   */
  owedChanges(consumer: string): Promise<string | null>
  settleChanges(consumer: string, mark: string): Promise<void>
  /** Takes what health is to show. It wakes no capture and asks no database. */
  report(news: HealthNews): Promise<void>
  /** Answers what health and `tidemark doctor` show; plain JSON. */
  health(): Promise<ReplicationHealth>
}

/** A push as it came in its request, for a session that has been checked. */
export interface PushCall {
  readonly session: Session
  /** JSON text. */
  readonly body: string
}

export interface SyncRpc {
  /**
   * Decides a push over a connection that is kept; null where none is free, and then nothing is done. Throws what a
   * client may see.
   */
  push(call: PushCall): Promise<PushAnswer | null>
  deliver(delivery: Delivery): Promise<DeliveryReceipt>
  /** Brings the log to a fresh head and announces it to this user's sockets at once. Throws `unavailable`. */
  announce(head: FreshHead, userId: string): Promise<void>
  health(): Promise<SyncHealth>
}

export interface SnapshotRpc {
  /**
   * JSON text of the audience's manifest, built now if there is none that holds. The caller has checked the right to it.
   * Throws `unavailable`, `schema-drift`, `limit-exceeded`.
   */
  manifest(audience: string): Promise<{ manifest: string }>
  /**
   * JSON text of the audience's sums (`SumsAnswer`), which hold all that was committed up to `at`; null: read anew. The caller
   * has checked the right to it. Throws as `manifest`.
   */
  sums(audience: string, at: Lsn | null): Promise<{ sums: string }>
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
  /** States what the finding means and what to do; empty when ok. */
  readonly message: string
}

export interface ReplicationHealth {
  readonly status: 'ok' | 'warn' | 'fail'
  readonly epoch: string | null
  readonly head: Lsn | null
  readonly decoder: string | null
  /** Why this decoder is used: under `auto` it names what was found. */
  readonly decoderReason: string | null
  readonly lastCycleAt: string | null
  readonly checks: readonly HealthCheck[]
  readonly figures: CaptureFigures
}

/** Clients that said the same of their schema. */
export interface ClientGroup {
  /** The version of the definition that their tables have. */
  readonly version: number
  /** The last migration that their pages know; null where they do not say. */
  readonly migration: string | null
  readonly count: number
  /** How many of them wait for tables to be loaded. */
  readonly waiting: number
  /** How many of them could not take the version, and tried again. */
  readonly failing: number
}

/** What capture did within one minute; lags are the longest, null where none was measured. */
export interface MinuteFigures {
  /** The minute's begin, in ms since 1970. */
  readonly atMs: number
  readonly transactions: number
  readonly rows: number
  /** From a commit to its storing in history, in ms by the server's clock. */
  readonly storedMs: number | null
  /** From a commit to its acknowledgement by a SyncDO that it concerns, in ms by the server's clock. */
  readonly deliveredMs: number | null
  /** Pushes that failed as a whole, by faults of the server. */
  readonly faults: number
  /** The log that the slot held back when it was looked at last, in bytes. */
  readonly retainedWalBytes: number | null
}

/** What health and metrics show in figures. Counts begin anew with the object, at `sinceMs`. */
export interface CaptureFigures {
  readonly sinceMs: number
  readonly transactions: number
  readonly rows: number
  /** Decided mutations by `committed` or the kind of their rejection. */
  readonly mutations: Readonly<Record<string, number>>
  /** Pushes that failed as a whole, by kind of error. */
  readonly faults: Readonly<Record<string, number>>
  /** Snapshots built; `lastFault` is the kind of error of the last one, null where that was built. */
  readonly builds: {
    readonly done: number
    readonly failed: number
    readonly totalMs: number
    readonly lastFault: string | null
  }
  /** The longest from a commit to its storing, within five minutes, in ms by the server's clock; null where none was measured. */
  readonly storedLagMs: number | null
  /** The same from a commit to the acknowledgement of a SyncDO. */
  readonly deliveredLagMs: number | null
  /** The time since which capture runs without having come to the end of the log. */
  readonly busyMs: number
  readonly retainedWalBytes: number | null
  readonly safeWalBytes: number | null
  readonly oldestWriteMs: number | null
  readonly stuckMutations: number | null
  /** Runs in a row that failed. */
  readonly failedCycles: number
  readonly subscribers: number
  readonly subscribersBehind: number
  readonly longestBehindMs: number
  /** As the SyncDOs told it with their last leases, which are up to ten minutes old. */
  readonly unsent: UnsentWork
  /** At most 20 groups, of clients that were heard of within 30 days. */
  readonly clients: readonly ClientGroup[]
  /** The last hour by minutes, oldest first; minutes in which nothing happened are absent. */
  readonly minutes: readonly MinuteFigures[]
}

/** What other objects and the Worker tell the ReplicationDO for health. */
export interface HealthNews {
  /** Pushes that failed as a whole since the last report, by kind of error. */
  readonly faults?: Readonly<Record<string, number>>
  /** A snapshot that was built, or could not be; `fault` is the kind of error. */
  readonly build?: { readonly ms: number; readonly fault: string | null }
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

/** An authenticated request, as the Worker describes it to a SyncDO in the header `x-tidemark-session`. */
export interface Session {
  readonly userId: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly audiences: readonly string[]
  readonly expiresAtMs: number | null
  /** The SyncDO's own name, which the runtime does not give to a Durable Object. */
  readonly syncName: string
}

export const SESSION_HEADER = 'x-tidemark-session'
