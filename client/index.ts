export type { ErrorKind, Lsn, MutationId, TidemarkError } from '../protocol/index.ts'
export type { TokenFunction } from './connection/session-token.ts'
export {
  type FailedRow,
  type Failure,
  MutationFailed,
  type MutationHandle,
  type MutationRecord,
  type MutationStatus,
} from './mutations/mutation.ts'
export { openReplica } from './open-replica.ts'
export { UndoRefused } from './outbox/undo-history.ts'
export type { TransactionHandle } from './outbox/writing.ts'
export type { HydrationProgress } from './replica/load-copy.ts'
export type { Envelope } from './replica/load-envelope.ts'
export type { ReplicaPhase, ReplicaStatus, StatusListener } from './replica/status.ts'
export type { Replica, ReplicaActions, ReplicaOptions } from './replica-api.ts'
export type { Database } from './store/database.ts'
