import type { ActivityPage, HistoryPage, MutationId, PastRow } from '../../protocol/index.ts'
import type { ReplicaInspection } from '../inspection.ts'
import type { HeldResult, LiveMessage, QueryText } from '../live/live-messages.ts'
import type { FailureDecision, FailureRecord } from '../mutations/mutation.ts'
import type { ActivityOptions, PageOptions, PastPlan, RowKey } from '../outbox/past.ts'
import type { RestoreOptions } from '../outbox/rules/plan-restore.ts'
import type { SavedHistory } from '../outbox/tab-history.ts'
import type { UnsentExport } from '../outbox/unsent-work.ts'
import type { Envelope } from '../replica/load-envelope.ts'
import type { CheckReport } from '../replica/self-check.ts'
import type { ReplicaStatus } from '../replica/status.ts'
import type { CallOrigin } from '../store/call-origin.ts'
import type { QueryDetails, TextDescription, TextResult } from '../store/text-result.ts'
import type { Bundle } from './rules/compare-bundles.ts'
import type { ErrorData } from './rules/error-data.ts'

/** What a tab tells its own worker. */
export type ToWorker =
  /** It loads and compiles the engine, for a replica that is opened later. */
  | { readonly type: 'tidemark-prepare' }
  /** It is to say once more that it has loaded. */
  | { readonly type: 'tidemark-hello' }
  /** It stands for the lead, and holds this lock for as long as it lives. */
  | { readonly type: 'tidemark-stand'; readonly candidacy: Candidacy; readonly lock: string }
  | { readonly type: 'tidemark-visible'; readonly isVisible: boolean }
  | { readonly type: 'tidemark-leave' }

/** What a worker tells its own tab; everything else goes over channels. */
export type FromWorker =
  | { readonly type: 'tidemark-loaded'; readonly bundle: Bundle }
  | { readonly type: 'tidemark-prepared' }
  /** It has its lock, and stands. */
  | { readonly type: 'tidemark-standing' }
  | { readonly type: 'tidemark-left' }

/** What a worker needs to lead. */
export interface Candidacy {
  /** Names the replica among those of the origin. */
  readonly replica: string
  readonly tab: string
  readonly isVisible: boolean
  readonly options: LeaderOptions
}

/** The part of the app's options that is data. */
export interface LeaderOptions {
  readonly url: string
  readonly user: string
  readonly storage?: string
  readonly envelope?: Partial<Envelope>
  readonly development: boolean
}

/** Said to all tabs and workers of a replica. */
export type Announcement =
  /** A tab asks whoever leads for a session. */
  | ({ readonly type: 'hello' } & Greeting)
  /** A worker holds the lock and would lead, unless a better one waits. */
  | { readonly type: 'granted'; readonly leader: string; readonly bundle: Bundle; readonly isVisible: boolean }
  | { readonly type: 'objection'; readonly leader: string }
  | {
      readonly type: 'leads'
      readonly leader: string
      readonly tab: string
      readonly bundle: Bundle
      readonly isOpen: boolean
    }
  | { readonly type: 'opening'; readonly leader: string; readonly progress: number }
  | { readonly type: 'opening-failed'; readonly leader: string; readonly tab: string; readonly error: ErrorData }
  | { readonly type: 'signed-out' }

/** What was asked of the connection last, in any tab: it outlives the leader that was asked. */
export interface ConnectionWish {
  readonly isOffline: boolean
  /** The envelope asked for with `goOnline`; null where that of the options holds. */
  readonly envelope: Partial<Envelope> | null
  /** When it was asked, by the clock of this device. */
  readonly atMs: number
}

export interface Greeting {
  readonly tab: string
  readonly bundle: Bundle
  readonly isVisible: boolean
  /** Its worker waits to lead. */
  readonly isCandidate: boolean
  readonly history: SavedHistory | null
  readonly wish: ConnectionWish | null
}

/** The status as it crosses: its errors as data. */
export type StatusData = Omit<ReplicaStatus, 'error' | 'pushError'> & {
  readonly error: ErrorData | null
  readonly pushError: ErrorData | null
}

/** `commit-unseen` commits also what shows in no mutation. */
export type LeaseEnd = 'rollback' | 'commit' | 'commit-unseen'

export interface LeaseEnding {
  /** The mutation that it was; null where it was none. */
  readonly mutation: MutationId | null
  /** It would show in no mutation and waits for `commit-unseen`, by which the tab shows that it knows. */
  readonly isOpen: boolean
}

/** The calls of a tab: their arguments and answers. */
export interface TabCalls {
  query: (text: string, params: readonly unknown[], details: QueryDetails, lease: string | null) => TextResult
  exec: (text: string, details: QueryDetails, lease: string | null) => readonly TextResult[]
  describe: (text: string, lease: string | null) => TextDescription
  beginLease: (lease: string, isMutation: boolean) => null
  endLease: (lease: string, how: LeaseEnd) => LeaseEnding
  listen: (channel: string, lease: string | null) => null
  unlisten: (channel: string) => null
  dumpDataDir: (compression: 'none' | 'gzip' | 'auto' | undefined) => Blob
  waitReady: () => null
  runAction: (name: string, args: unknown) => MutationId
  waitConfirmed: (id: MutationId) => null
  decideFailure: (id: MutationId, decision: FailureDecision) => MutationId | null
  readMutations: (limit: number) => readonly object[]
  readMutation: (id: string) => object | null
  undo: () => MutationId | null
  redo: () => MutationId | null
  readHistory: (table: string, key: RowKey, options: PageOptions) => HistoryPage
  readActivity: (options: ActivityOptions) => ActivityPage
  readRowAt: (table: string, key: RowKey, at: string) => PastRow
  planRestore: (table: string, key: RowKey, at: string, options: RestoreOptions) => PastPlan
  planRollback: (id: string) => PastPlan
  carryOut: (plan: PastPlan) => MutationId | null
  settled: () => null
  reached: (lsn: string) => null
  inspect: () => ReplicaInspection
  goOffline: () => null
  goOnline: (envelope: Partial<Envelope> | null) => null
  wake: () => null
  retryMigrations: () => null
  reset: () => null
  check: () => CheckReport
  exportUnsent: (limit: number) => UnsentExport
  signOut: (dropUnsent: boolean) => null
}

export type TabMethod = keyof TabCalls

/** A call of a tab's live queries, as `LiveConnection` has it. */
export type LiveCall =
  | { readonly do: 'open'; readonly query: number; readonly text: QueryText; readonly held: HeldResult | null }
  | { readonly do: 'acknowledge' | 'close'; readonly query: number }
  | { readonly do: 'refresh'; readonly query: number; readonly refresh: number }

/** What a tab says to the leader, on the channel of its own name. */
export type ToLeader =
  | {
      readonly type: 'call'
      readonly leader: string
      readonly by: CallOrigin
      readonly method: TabMethod
      readonly args: readonly unknown[]
      /** It was asked of an earlier leader, which may have done it. */
      readonly isAgain: boolean
    }
  | {
      readonly type: 'token'
      readonly leader: string
      readonly ask: string
      readonly token: string | null
      readonly error: ErrorData | null
    }
  | { readonly type: 'ping'; readonly leader: string; readonly isVisible: boolean }
  | { readonly type: 'live'; readonly leader: string; readonly call: LiveCall }
  | { readonly type: 'goodbye'; readonly leader: string }

/** What the leader says to one tab. */
export type ToTab =
  | {
      readonly type: 'welcome'
      readonly leader: string
      /** Names the session: what was asked of another one is asked again. */
      readonly session: string
      readonly bundle: Bundle
      readonly status: StatusData
      readonly failures: readonly FailureRecord[]
      readonly wish: ConnectionWish | null
    }
  | { readonly type: 'refused'; readonly leader: string; readonly error: ErrorData }
  | {
      readonly type: 'status'
      readonly leader: string
      readonly status: StatusData
      readonly failures: readonly FailureRecord[] | null
      readonly wish: ConnectionWish | null
    }
  | { readonly type: 'answer'; readonly leader: string; readonly call: string; readonly answer: unknown }
  | { readonly type: 'error'; readonly leader: string; readonly call: string; readonly error: ErrorData }
  | { readonly type: 'ask-token'; readonly leader: string; readonly ask: string }
  | { readonly type: 'history'; readonly leader: string; readonly history: SavedHistory }
  | { readonly type: 'warning'; readonly leader: string; readonly error: ErrorData }
  | { readonly type: 'notification'; readonly leader: string; readonly channel: string; readonly payload: string }
  | { readonly type: 'live'; readonly leader: string; readonly message: LiveMessage }
  | { readonly type: 'pong'; readonly leader: string }

export const announcementChannel = (replica: string) => `tidemark:${replica}`
export const tabChannel = (tab: string) => `tidemark-tab:${tab}`
export const leaderLock = (replica: string) => `tidemark-leader:${replica}`
export const tabLock = (tab: string) => `tidemark-tab:${tab}`
/** Made anew for each worker. */
export const workerLock = (worker: string) => `tidemark-worker:${worker}`
