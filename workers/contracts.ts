import type { DefinitionAnswer, DefinitionInForce, Lsn, MigrationsAnswer, PushAnswer } from '../protocol/index.ts'
import type { EncodedTransaction } from './encoded-change.ts'
import type { HealthNews, ReplicationHealth, SyncHealth, UnsentWork } from './health-contract.ts'
import type {
  ClientOrderAnswer,
  LoggedAction,
  OperatorRequest,
  ReplicationOperations,
  SyncOperations,
} from './operations-contract.ts'

export type * from './health-contract.ts'

/**
 * The calls that the three Durable Objects make to each other, as RPC between objects of one deployment; nothing here
 * is reachable from outside.
 */

/** Name of the only ReplicationDO of a deployment. */
export const REPLICATION_NAME = 'main'

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
  /** Answers what the operators' page shows. It wakes no capture and asks no database. */
  operations(): Promise<ReplicationOperations>
  /** Does what an operator asked for, and logs it. A repeated id is answered as before. */
  operate(request: OperatorRequest): Promise<LoggedAction>
  /** Answers whether this network address may try to log in to the operators' page now. */
  admitLogin(address: string): Promise<boolean>
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
  operations(): Promise<SyncOperations>
  /** Has a client load everything anew, now or with its next hello; what it has not sent stays. */
  rehydrateClient(client: string): Promise<ClientOrderAnswer>
  /** Closes a client's sockets; it connects again. */
  disconnectClient(client: string): Promise<ClientOrderAnswer>
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
  /** Withdraws the snapshot, so that the next client has one built; answers whether there was one. */
  drop(): Promise<boolean>
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
