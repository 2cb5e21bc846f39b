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
  /** Bounds the changes of one peek, which its last transaction may exceed. */
  readonly maxChanges?: number
  /** A halt for a table whose shape drifted ends by itself after this long. */
  readonly driftWaitMs: number
  readonly nowMs: () => number
}

/** Stores the part of capture's state that must outlive its object. */
export interface CaptureStore {
  read(): CaptureMemory
  write(memory: CaptureMemory): void
}

export type Distribute = (batch: RoutedBatch) => void | Promise<void>

export interface CycleResult {
  /** True where more is waiting, so that the next cycle begins at once. */
  readonly more: boolean
  readonly storedRows: number
  /** The id of the transaction that stored, where nothing else was in progress beside it; else null. */
  readonly ownXid: string | null
}

/** The options of one cycle besides its connection. */
export interface CycleOptions {
  /** A second connection, which peeks while the first reads the facts. */
  readonly peeker?: Database | null
  /** Opens a connection that reads while the cycle's own stores; it is used where much log waits, then closed. */
  readonly openReader?: (() => Promise<Database>) | null
  /** A peek that came with a wait, by which a short cycle takes one round trip. */
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
  /** The reason for which the epoch began; null where it began before this object's life. */
  readonly startedReason: string | null
}
