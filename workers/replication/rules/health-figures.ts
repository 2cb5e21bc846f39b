import type { ErrorKind, Lsn } from '../../../protocol/index.ts'
import type { CaptureFigures, ClientGroup, HealthCheck, UnsentWork } from '../../contracts.ts'
import type { ConsumerLag, OpenWrite } from '../../health-contract.ts'
import type { CapturePause } from '../../operations-contract.ts'
import type { WatchDecision } from './watch.ts'

export type { ClientGroup } from '../../contracts.ts'

export interface ServerFigures {
  readonly retainedWalBytes: number | null
  /** What the slot may hold back yet before the server drops it; null where that is not bounded. */
  readonly safeWalBytes: number | null
  /** The oldest transaction that has written and not ended, prepared ones included; null where there is none. */
  readonly oldestWrite: OpenWrite | null
  /** From here on the server keeps its log for the slot; null where there is none. */
  readonly restartLsn: Lsn | null
  readonly definitionHash: string | null
  /** By how much the server's clock is ahead of ours. */
  readonly clockAheadMs: number
  /** The consumers of all changes, the one that is furthest behind first. */
  readonly consumers: readonly ConsumerLag[]
  /** The mutations that were tried and could not be decided. */
  readonly stuck: { readonly count: number; readonly oldestMs: number; readonly sqlStates: readonly string[] }
}

/** The figures by which the health of capture is judged. */
export interface HealthFigures {
  readonly epoch: string | null
  readonly head: Lsn | null
  readonly decoder: string | null
  readonly decoderReason: string | null
  readonly lastCycleAtMs: number | null
  /** The time at which the next cycle is due; null when none is armed. */
  readonly nextCycleAtMs: number | null
  /** The error of the last cycle, and how many failed in a row; null when it went well. */
  readonly lastError: { readonly kind: ErrorKind; readonly message: string; readonly count: number } | null
  readonly slotPresent: boolean | null
  readonly server: ServerFigures | null
  readonly bundleHash: string | null
  /** Reason and time of the last change of epoch within memory. */
  readonly epochStarted: { readonly reason: string; readonly atMs: number } | null
  /** Tables that are not synced any more because a halt ended by itself. */
  readonly leftOut: readonly string[]
  /** Tables in which rows were found whose audience is not their parent's. */
  readonly strays: readonly string[]
  readonly subscribers: number
  readonly subscribersBehind: number
  /** The SyncDO that owes an acknowledgement for longest; null where none owes one. */
  readonly longestBehind: { readonly subscriber: string; readonly ms: number } | null
  readonly unsent: UnsentWork
  readonly watch: WatchDecision
  readonly pause: CapturePause | null
  /** The time since which capture runs without having come to the end of the log; null where it has. */
  readonly busySinceMs: number | null
  readonly clients: readonly ClientGroup[]
  readonly counts: CaptureCounts
  readonly minutes: CaptureFigures['minutes']
  /** Checks beside those of capture. */
  readonly others: readonly HealthCheck[]
}

/** What was counted since the object began. */
export type CaptureCounts = Pick<
  CaptureFigures,
  'sinceMs' | 'transactions' | 'rows' | 'mutations' | 'faults' | 'builds'
>

/** The figures that health must keep across an eviction of the object. */
export type CaptureOutcome = Pick<HealthFigures, 'lastError' | 'lastCycleAtMs' | 'epochStarted'>
