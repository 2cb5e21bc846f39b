import { type Lsn, maxLsn, TidemarkError } from '../../../protocol/index.ts'

/** The current row of `tidemark.epoch`. */
export interface EpochRow {
  readonly id: string
  readonly slotName: string
  readonly owner: string
  readonly decoder: string
  readonly systemIdentifier: string
  readonly timeline: number
  readonly startLsn: Lsn
  readonly headLsn: Lsn
  readonly floorLsn: Lsn
  /** The version in force at `startLsn`. */
  readonly definitionVersion: number
}

export interface SlotFacts {
  readonly database: string | null
  readonly plugin: string | null
  readonly active: boolean
  /** `lost`, or a reason for which the server invalidated it; null while it is whole. */
  readonly lost: string | null
  readonly restartLsn: Lsn | null
  readonly confirmedFlushLsn: Lsn | null
}

/** The facts that a cycle reads from the database at its start. */
export interface ServerFacts {
  readonly database: string
  readonly systemIdentifier: string
  readonly timeline: number
  readonly flushLsn: Lsn
  readonly slot: SlotFacts | null
  readonly epoch: EpochRow | null
}

export interface LeftOut {
  readonly tables: readonly string[]
  readonly version: number
}

/** The ReplicationDO's own memory; `NO_MEMORY` when its storage is new or was wiped. */
export interface CaptureMemory {
  readonly epoch: string | null
  /** Everything that ends at or below it is stored. */
  readonly capturedTo: Lsn | null
  /** The furthest place to which we moved the slot. */
  readonly advancedTo: Lsn | null
  /** The reason why capture stands still until the schema is mended; null while it runs. */
  readonly halted: string | null
  /** The time since which it stands still. */
  readonly haltedAtMs: number | null
  /** Ids of the tables for which capture stands still, or did below a definition that is still to be reached. */
  readonly distrusted: readonly string[]
  /** The tables that a halt left out of the definition when it ended by itself, until another is put in force. */
  readonly leftOut: LeftOut | null
  /** The head of the epoch, as stored last. */
  readonly headLsn: Lsn | null
  /** The definition's version and the publication's fingerprint, as they were last found in order. */
  readonly publication: string | null
  /** The id of the request by which an operator wants another slot; null where none does. */
  readonly rebuild: string | null
}

export const NO_MEMORY: CaptureMemory = {
  epoch: null,
  capturedTo: null,
  advancedTo: null,
  halted: null,
  haltedAtMs: null,
  distrusted: [],
  leftOut: null,
  headLsn: null,
  publication: null,
  rebuild: null,
}

export type EpochDecision = { readonly action: 'continue' } | { readonly action: 'start'; readonly reason: string }

export interface OwnIdentity {
  readonly owner: string
  readonly slotName: string
  /** `auto` keeps the decoder that the epoch began with. */
  readonly decoder: 'auto' | 'wal2json' | 'pgoutput'
}

/**
 * Decides whether this history goes on or a new one begins. Throws `misconfigured` where another deployment holds the
 * database, or another database the slot.
 */
export function decideEpoch(facts: ServerFacts, memory: CaptureMemory, own: OwnIdentity): EpochDecision {
  const { epoch, slot } = facts
  const start = (reason: string): EpochDecision => ({ action: 'start', reason })
  if (slot !== null && slot.database !== facts.database) {
    throw new TidemarkError(
      'misconfigured',
      `Slot ${own.slotName} belongs to database ${slot.database} of the same server: give this deployment another slotName.`,
    )
  }
  if (epoch === null) return start(memory.epoch === null ? 'first' : 'released')
  // A copy of the database brings the epoch along, but not its log: the epoch's owner captures elsewhere.
  if (epoch.systemIdentifier !== facts.systemIdentifier) return start('system-changed')
  if (epoch.timeline !== facts.timeline) return start('timeline-changed')
  if (epoch.owner !== own.owner) {
    throw new TidemarkError(
      'misconfigured',
      `Another deployment (${epoch.owner}) captures this database under epoch ${epoch.id}. Stop it first; then release it with ` +
        `UPDATE tidemark.epoch SET ended_at = now(), end_reason = 'released' WHERE ended_at IS NULL.`,
    )
  }
  if (memory.rebuild !== null) return start('rebuilt by an operator')
  if (memory.epoch !== null && memory.epoch !== epoch.id) return start('restored')
  // We never lower it: the database was put back, and its log may since have grown past what was captured.
  if (memory.headLsn !== null && epoch.headLsn < memory.headLsn) return start('restored')
  if (facts.flushLsn < maxLsn(epoch.headLsn, memory.capturedTo ?? epoch.headLsn)) return start('log-went-back')
  if (epoch.slotName !== own.slotName) return start('slot-renamed')
  if (slot === null) return start('slot-missing')
  if (slot.lost !== null) return start(`slot-lost: ${slot.lost}`)
  if (slot.plugin !== epoch.decoder) return start('slot-replaced')
  if (own.decoder !== 'auto' && own.decoder !== epoch.decoder) return start('decoder-changed')
  if (memory.advancedTo !== null && slot.confirmedFlushLsn !== null) {
    const ours = maxLsn(memory.advancedTo, epoch.headLsn, epoch.startLsn)
    if (slot.confirmedFlushLsn > ours) return start('slot-moved')
  }
  return { action: 'continue' }
}
