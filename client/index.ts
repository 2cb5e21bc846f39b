export type {
  ActivityChange,
  ActivityPage,
  ErrorKind,
  HistoryPage,
  Lsn,
  MutationId,
  TidemarkError,
  ToldChange,
} from '../protocol/index.ts'
export type { TokenFunction } from './connection/session-token.ts'
export type { FrameCounts, ReplicaInspection } from './inspection.ts'
export type { LiveQueryDescription } from './live/live-messages.ts'
export type { DrizzleQuery, Live, LiveQuery, LiveRows, LiveStore, RowOf, SqlQuery } from './live/live-rows.ts'
export { type HistoryRefusal, HistoryRefused, type RowInTheWay } from './mutations/history-refused.ts'
export {
  type FailedRow,
  type Failure,
  type FailureEdit,
  MutationFailed,
  type MutationHandle,
  type MutationRecord,
  type MutationStatus,
} from './mutations/mutation.ts'
export { UndoRefused } from './mutations/undo-refused.ts'
export { UnsentWork } from './mutations/unsent-work.ts'
export { openReplica } from './open-replica.ts'
export type { ActivityOptions, PageOptions, RowKey } from './outbox/past.ts'
export type { RestoreOptions } from './outbox/rules/plan-restore.ts'
export type { UnsentExport, UnsentMutation } from './outbox/unsent-work.ts'
export { prepareReplica } from './prepare-replica.ts'
export type { HydrationProgress } from './replica/load-copy.ts'
export type { Envelope } from './replica/load-envelope.ts'
export type { CheckReport } from './replica/self-check.ts'
export type {
  FailedMigration,
  MigrationsStatus,
  ReplicaPhase,
  ReplicaStatus,
  StatusListener,
} from './replica/status.ts'
export type {
  Migrations,
  PastHandle,
  Replica,
  ReplicaActions,
  ReplicaOptions,
  TouchedRow,
  TransactionHandle,
} from './replica-api.ts'
export type { Database } from './store/database.ts'
