import type { Transaction } from '@electric-sql/pglite'
import type { Action } from '../db/action.ts'
import type { Sync } from '../db/define-sync.ts'
import type { Lsn, MutationId, TidemarkError } from '../protocol/index.ts'
import type { TokenFunction } from './connection/session-token.ts'
import type { Failure, MutationHandle, MutationRecord } from './mutations/mutation.ts'
import type { TransactionHandle } from './outbox/writing.ts'
import type { Envelope } from './replica/load-envelope.ts'
import type { ReplicaStatus, StatusListener } from './replica/status.ts'
import type { Database } from './store/database.ts'

export interface ReplicaOptions<S extends Sync = Sync> {
  /** The deployment's address, as far as the routes' base path: `https://app.example` or `https://app.example/base`. */
  readonly url: string
  /** Names the storage: each user has one of their own, and it opens offline. */
  readonly user: string
  /** Called for the first connection, and again when a token expires or is refused. */
  readonly token: TokenFunction
  /** The module that worker and page share. */
  readonly sync: S
  /** `memory://`, `idb://name`, `opfs-ahp://name` or a directory (Node, Bun); default the best there is. */
  readonly storage?: string
  /**
   * The largest load to take on, of rows and of bytes of uncompressed COPY text; beyond it the replica is `refused` with
   * `limit-exceeded` before anything is loaded. Default 1,000,000 rows and 256 MiB in a browser, ten and eight times that
   * in Node and Bun.
   */
  readonly envelope?: Partial<Envelope>
  /** Called with the app's losses when a synced table is made anew, and faults seen nowhere else. Default: console. */
  readonly onWarning?: (warning: TidemarkError) => void
  /**
   * Called while the database is opened, with the part of the way to `ready` that is done: a number from 0 to 1 that
   * never falls, and from which `status.progress` goes on.
   */
  readonly onOpening?: (progress: number) => void
  /** Runs each action twice where it is called, and warns where the two differ. Default: outside of `production`. */
  readonly development?: boolean
}

type ArgsOf<One> = One extends Action<infer Args> ? Args : never

/** The actions of a sync definition, to be called with their arguments; each answers once it is durable here. */
export type ReplicaActions<S extends Sync> = {
  readonly [Name in keyof NonNullable<S['actions']>]: (
    args: ArgsOf<NonNullable<S['actions']>[Name]>,
  ) => Promise<MutationHandle>
}

/** A local Postgres that follows what its user may see, and sends what they write. */
export interface Replica<S extends Sync = Sync> {
  /** PGlite with live queries. Synced tables take writes as their `write` says; the app's own tables are its own. */
  readonly db: Database
  readonly status: ReplicaStatus
  /** Calls back with every new status; answers the function that ends it. */
  subscribe(listener: StatusListener): () => void
  /** Resolves when the tables first hold a whole state; rejects with `unavailable` when closed before. */
  readonly ready: Promise<void>
  /** Rejects with what the action throws, and with TidemarkError before the replica is ready; then nothing was written. */
  readonly actions: ReplicaActions<S>
  /** Runs `work` as one mutation, and answers what it answers. Rejects with what it throws; then nothing was written. */
  transaction<Result>(work: (tx: Transaction) => Promise<Result>): Promise<TransactionHandle<Result>>
  /** The failures that wait for the app to decide, oldest first; status subscribers are called when they change. */
  readonly failures: readonly Failure[]
  /** Reads the newest mutations, newest first; default 100. Long-confirmed ones are forgotten. */
  mutations(options?: { readonly limit?: number }): Promise<MutationRecord[]>
  /** Reads the mutation of a handle's id; null where it is not known here. */
  mutation(id: MutationId | string): Promise<MutationRecord | null>
  /** Takes back what this session last wrote, by a new mutation; null where there is nothing. Rejects with UndoRefused. */
  undo(): Promise<MutationHandle | null>
  /** Brings back what was last undone; null where there is nothing. Rejects with UndoRefused. */
  redo(): Promise<MutationHandle | null>
  /**
   * Resolves when everything written here before the call is confirmed or failed, and everything committed before it is
   * here. Rejects with TidemarkError: offline, closed, refused.
   */
  settled(): Promise<void>
  /** Resolves when the commit at this LSN is here, also after being offline. Rejects when closed or refused. */
  reached(lsn: Lsn | string): Promise<void>
  goOffline(): void
  /** Connects again; with an envelope, that one holds for loads from now on. Throws `bad-input`. */
  goOnline(options?: { readonly envelope?: Partial<Envelope> }): void
  /** Closes storage and socket; everything pending rejects. */
  close(): Promise<void>
  /** Closes, and removes everything this user's storage holds. Rejects with `storage` where the device refuses. */
  signOut(): Promise<void>
}
