import type { DefinitionInForce, Lsn } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import type { DatabaseEnv } from '../env.ts'
import type { ChangeSource } from './change-source.ts'
import type { CaptureMemory, EpochRow, OwnIdentity } from './rules/epoch-decision.ts'
import type { RoutedBatch } from './rules/subscription.ts'
import type { TablePlans } from './rules/table-plan.ts'
import type { WaitedPeek } from './short-peek.ts'

export interface CaptureSettings extends OwnIdentity {
  readonly env: DatabaseEnv
  /** Bounds one peek, but for its last transaction. */
  readonly maxChanges?: number
  /** A halt for a table whose shape drifted ends by itself after this long. */
  readonly driftWaitMs: number
  readonly nowMs: () => number
}

/** Where capture keeps what must outlive it. */
export interface CaptureStore {
  read(): CaptureMemory
  write(memory: CaptureMemory): void
}

export type Distribute = (batch: RoutedBatch) => void | Promise<void>

export interface CycleResult {
  /** More is waiting: begin the next cycle at once. */
  readonly more: boolean
  readonly storedRows: number
  /** The id of the transaction that stored, where nothing else was in progress beside it. */
  readonly ownXid: string | null
}

/** How one cycle is run besides its connection. */
export interface CycleOptions {
  /** A second connection, for a peek beside the facts. */
  readonly peeker?: Database | null
  /** Opens a connection that reads while the cycle's own stores; used where much waits, and closed. */
  readonly openReader?: (() => Promise<Database>) | null
  /** A peek that came with a wait: then a short cycle is one round trip. */
  readonly waited?: WaitedPeek | null
  /** Leaves the slot where it is, and owes the move. */
  readonly deferAdvance?: boolean
}

/** The history being captured, as far as it is known. */
export interface CaptureState {
  readonly epoch: EpochRow
  readonly definition: DefinitionInForce
  readonly plans: TablePlans
  readonly source: ChangeSource
  readonly decoderReason: string
  readonly numericAsString: boolean
  /** Everything that ends at or below it is stored. */
  readonly capturedTo: Lsn
  /** Why the epoch began, if it began in this object's life. */
  readonly startedReason: string | null
}
