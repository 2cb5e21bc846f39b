import type { ActivityPage, HistoryPage, Lsn, MutationId, PastRow } from '../protocol/index.ts'
import type { ReplicaInspection } from './inspection.ts'
import type { FailureDecision, FailureRecord, MutationRecord } from './mutations/mutation.ts'
import type { ActivityOptions, PageOptions, PastPlan, RowKey } from './outbox/past.ts'
import type { RestoreOptions } from './outbox/rules/plan-restore.ts'
import type { UnsentExport } from './outbox/unsent-work.ts'
import type { Envelope } from './replica/load-envelope.ts'
import type { CheckReport } from './replica/self-check.ts'
import type { ReplicaStatus, StatusListener } from './replica/status.ts'
import type { CallOrigin } from './store/call-origin.ts'

/** What changes by itself in a replica. */
export interface ReplicaState {
  readonly status: ReplicaStatus
  readonly failures: readonly FailureRecord[]
  /** The user has signed out: nothing of what was held is to be shown any more. */
  readonly hasLeft: boolean
  /** Calls back with every new status, failures included; answers the function that ends it. */
  subscribe(listener: StatusListener): () => void
}

/**
 * What a replica is asked for, whichever tab asks and wherever the engine runs: data in, data out, no closures.
 *
 * `by` names the tab and the call; a call that comes again under the same name is done once. Rejects as `Replica` says.
 */
export interface ReplicaCore {
  waitReady(): Promise<void>
  runAction(name: string, args: unknown, by: CallOrigin | null): Promise<MutationId>
  /** Resolves when a mutation is confirmed, and rejects with MutationFailed when it fails. */
  waitConfirmed(id: MutationId): Promise<void>
  /** Answers the mutation that a retry or an edit made, null where nothing had to be written. */
  decideFailure(id: MutationId, decision: FailureDecision, by: CallOrigin | null): Promise<MutationId | null>
  readMutations(limit: number): Promise<MutationRecord[]>
  readMutation(id: string): Promise<MutationRecord | null>
  undo(by: CallOrigin | null): Promise<MutationId | null>
  redo(by: CallOrigin | null): Promise<MutationId | null>
  readHistory(table: string, key: RowKey, options: PageOptions): Promise<HistoryPage>
  readActivity(options: ActivityOptions): Promise<ActivityPage>
  readRowAt(table: string, key: RowKey, at: string): Promise<PastRow>
  /** Says what would be written; `carryOut` writes it. */
  planRestore(table: string, key: RowKey, at: string, options: RestoreOptions): Promise<PastPlan>
  planRollback(id: string): Promise<PastPlan>
  carryOut(plan: PastPlan, by: CallOrigin | null): Promise<MutationId | null>
  settled(): Promise<void>
  reached(lsn: Lsn | string): Promise<void>
  inspect(): Promise<ReplicaInspection>
  goOffline(): Promise<void>
  goOnline(envelope: Partial<Envelope> | undefined): Promise<void>
  close(): Promise<void>
  retryMigrations(): Promise<void>
  reset(): Promise<void>
  check(): Promise<CheckReport>
  exportUnsent(limit: number): Promise<UnsentExport>
  signOut(dropUnsent: boolean): Promise<void>
}
