import type { Transaction } from '@electric-sql/pglite'
import type { Action } from '../db/action.ts'
import type { Sync } from '../db/define-sync.ts'
import type { ActivityPage, HistoryPage, Lsn, MutationId, Row, TidemarkError } from '../protocol/index.ts'
import type { TokenFunction } from './connection/session-token.ts'
import type { ReplicaInspection } from './inspection.ts'
import type { Live } from './live/live-rows.ts'
import type { Failure, MutationHandle, MutationRecord } from './mutations/mutation.ts'
import type { ActivityOptions, PageOptions, RowKey } from './outbox/past.ts'
import type { RestoreOptions } from './outbox/rules/plan-restore.ts'
import type { UnsentExport } from './outbox/unsent-work.ts'
import type { Envelope } from './replica/load-envelope.ts'
import type { CheckReport } from './replica/self-check.ts'
import type { MigrationsStatus, ReplicaStatus, StatusListener } from './replica/status.ts'
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
  /**
   * `memory://`, `idb://name`, `opfs-ahp://name` or a directory (Node, Bun). Default: the best that the browser has, in Node and
   * Bun a directory of `.tidemark/replicas` in the working directory, named by the url.
   */
  readonly storage?: string
  /**
   * Makes the worker whose file calls `startReplicaWorker(sync)`: so all tabs of a browser share one database, one engine and
   * one socket, and the page stays free. Without it the engine runs in the page, for one tab. Browsers only.
   */
  readonly worker?: () => Worker
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

/** A transaction's handle; where it wrote nothing that is synced, `id` is null and it is confirmed from the start. */
export interface TransactionHandle<Result> {
  readonly id: MutationId | null
  readonly confirmed: Promise<void>
  readonly result: Result
}

/** A row that a restore or a rollback wrote, with the columns of an update. */
export interface TouchedRow {
  readonly table: string
  readonly key: Row
  readonly op: 'insert' | 'update' | 'delete'
  readonly columns: readonly string[]
}

/** What a restore or a rollback wrote; where all was as it was, `id` is null and it is confirmed from the start. */
export interface PastHandle {
  readonly id: MutationId | null
  readonly confirmed: Promise<void>
  readonly rows: readonly TouchedRow[]
  /** Columns that the row had then and has no more, so that nothing was restored of them. */
  readonly gone: readonly string[]
}

type ArgsOf<One> = One extends Action<infer Args> ? Args : never

/** The actions of a sync definition, to be called with their arguments; each answers once it is durable here. */
export type ReplicaActions<S extends Sync> = {
  readonly [Name in keyof NonNullable<S['actions']>]: (
    args: ArgsOf<NonNullable<S['actions']>[Name]>,
  ) => Promise<MutationHandle>
}

/** `status.migrations`, and what the app can do about it. */
export interface Migrations extends MigrationsStatus {
  /**
   * Tries now what failed, with all tries before it: also tables that cannot be held here, for which everything is loaded
   * anew, and a version that was refused. Where nothing failed, and while offline, it does nothing.
   */
  retry(): void
}

/** A local Postgres that follows what its user may see, and sends what they write. */
export interface Replica<S extends Sync = Sync> {
  /** PGlite with live queries. Synced tables take writes as their `write` says; the app's own tables are its own. */
  readonly db: Database
  /**
   * Answers the store of a live query: of SQL, or of a drizzle query over `db`. It costs nothing until it is subscribed to;
   * equal queries are the same store.
   */
  readonly live: Live
  readonly status: ReplicaStatus
  /** Calls back with every new status; answers the function that ends it. */
  subscribe(listener: StatusListener): () => void
  /** How the tables follow the app's schema, as it is now. */
  readonly migrations: Migrations
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
   * Reads who changed a row, what and when, newest first, where the Worker has `history: true`. Values are Postgres' text. Rejects
   * with TidemarkError: offline (`unavailable`), `not-found` where the Worker does not open it.
   */
  history(table: string, key: RowKey, options?: PageOptions): Promise<HistoryPage>
  /** Reads what happened in the user's audiences, newest first; rows that are another audience's by now are left out. */
  activity(options?: ActivityOptions): Promise<ActivityPage>
  /**
   * Reads a row as it was at an LSN or a time, null where it was not there or not for this user. Rejects with `bad-input` where
   * history does not reach back so far.
   */
  rowAt(table: string, key: RowKey, at: Lsn | Date | string): Promise<Row | null>
  /**
   * Brings a row back to what it was at an LSN or a time, by a new mutation; one that was deleted is inserted again. Rejects
   * with HistoryRefused, and as `rowAt`.
   */
  restore(table: string, key: RowKey, at: Lsn | Date | string, options?: RestoreOptions): Promise<PastHandle>
  /**
   * Takes back all that a confirmed mutation of this user changed, by a new mutation, and tells what that touched. Rejects with
   * HistoryRefused, which names the rows that others built on, and with `not-found` where history does not have it.
   */
  rollback(id: MutationId | string): Promise<PastHandle>
  /**
   * Resolves when everything written here before the call is confirmed or failed, and everything committed before it is
   * here. Rejects with TidemarkError: offline, closed, refused.
   */
  settled(): Promise<void>
  /** Resolves when the commit at this LSN is here, also after being offline. Rejects when closed or refused. */
  reached(lsn: Lsn | string): Promise<void>
  /** Describes what a debug panel shows besides the status. */
  inspect(): Promise<ReplicaInspection>
  goOffline(): void
  /** Connects again; with an envelope, that one holds for loads from now on. Throws `bad-input`. */
  goOnline(options?: { readonly envelope?: Partial<Envelope> }): void
  /**
   * Loads all synced rows anew, and resolves when they are shown; until then the old ones stay, and writes go on. Unsent work
   * and the app's own tables are kept. Rejects with TidemarkError: offline, closed, refused.
   */
  reset(): Promise<void>
  /**
   * Compares the rows that are held with the server's, without unsent work, and loads anew each table that differs; unsent work
   * is kept. Resolves when that is done, with what was found; `status.check` shows the last. Rejects with TidemarkError: offline,
   * closed, refused, `unavailable` while tables are being loaded.
   */
  check(): Promise<CheckReport>
  /** Reads unsent work as plain data, for support: pending, sent and failed mutations, oldest first; default 1,000. */
  export(options?: { readonly limit?: number }): Promise<UnsentExport>
  /** Closes storage and socket; everything pending rejects. */
  close(): Promise<void>
  /**
   * Closes in all tabs, and removes everything this user's storage holds.
   *
   * Rejects with UnsentWork, and does nothing, where that would drop unsent work and `dropUnsent` is not set; with
   * TidemarkError `storage` where the device refuses.
   */
  signOut(options?: { readonly dropUnsent?: boolean }): Promise<void>
}
