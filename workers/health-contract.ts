import type { Lsn } from '../protocol/index.ts'

/** What health, metrics and the operators' page are made of; plain JSON. */

/** What connected clients report of work that is not settled. */
export interface UnsentWork {
  /** Clients whose work has waited for more than a minute. */
  readonly lateClients: number
  /** The age of the oldest of it, by their clocks; null where there is none. */
  readonly oldestMs: number | null
  /** Clients with mutations that failed and wait for their users. */
  readonly failedClients: number
}

/** One named check with its figures; every health answer is a list of them. */
export interface HealthCheck {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly value: number | string | null
  readonly threshold: number | null
  readonly unit: string | null
  /** States what the finding means and what to do; empty when ok. */
  readonly message: string
}

export interface ReplicationHealth {
  readonly status: 'ok' | 'warn' | 'fail'
  readonly epoch: string | null
  readonly head: Lsn | null
  readonly decoder: string | null
  /** Why this decoder is used: under `auto` it names what was found. */
  readonly decoderReason: string | null
  readonly lastCycleAt: string | null
  readonly checks: readonly HealthCheck[]
  readonly figures: CaptureFigures
}

/** Clients that said the same of their schema. */
export interface ClientGroup {
  /** The version of the definition that their tables have. */
  readonly version: number
  /** The last migration that their pages know; null where they do not say. */
  readonly migration: string | null
  readonly count: number
  /** How many of them wait for tables to be loaded. */
  readonly waiting: number
  /** How many of them could not take the version, and tried again. */
  readonly failing: number
}

/** What capture did within one minute; lags are the longest, null where none was measured. */
export interface MinuteFigures {
  /** The minute's begin, in ms since 1970. */
  readonly atMs: number
  readonly transactions: number
  readonly rows: number
  /** From a commit to its storing in history, in ms by the server's clock. */
  readonly storedMs: number | null
  /** From a commit to its acknowledgement by a SyncDO that it concerns, in ms by the server's clock. */
  readonly deliveredMs: number | null
  /** Pushes that failed as a whole, by faults of the server. */
  readonly faults: number
  /** The log that the slot held back when it was looked at last, in bytes. */
  readonly retainedWalBytes: number | null
}

/** An open transaction that has written. */
export interface OpenWrite {
  /** Null for a prepared one. */
  readonly pid: number | null
  readonly ms: number
  /** Its last statement without values; null where it is not known. */
  readonly statement: string | null
}

export interface ConsumerLag {
  readonly name: string
  /** True where changes are gone that it had not handled. */
  readonly isLost: boolean
  /** For how long the change that it has to handle next has waited; 0 where none has. */
  readonly lagMs: number
}

/** What health and metrics show in figures. Counts begin anew with the object, at `sinceMs`. */
export interface CaptureFigures {
  readonly sinceMs: number
  readonly transactions: number
  readonly rows: number
  /** Decided mutations by `committed` or the kind of their rejection. */
  readonly mutations: Readonly<Record<string, number>>
  /** Pushes that failed as a whole, by kind of error. */
  readonly faults: Readonly<Record<string, number>>
  /** Snapshots built; `lastFault` is the kind of error of the last one, null where that was built. */
  readonly builds: {
    readonly done: number
    readonly failed: number
    readonly totalMs: number
    readonly lastFault: string | null
  }
  /** The longest from a commit to its storing, within five minutes, in ms by the server's clock; null where none was measured. */
  readonly storedLagMs: number | null
  /** The same from a commit to the acknowledgement of a SyncDO. */
  readonly deliveredLagMs: number | null
  /** The time since which capture runs without having come to the end of the log. */
  readonly busyMs: number
  readonly retainedWalBytes: number | null
  readonly safeWalBytes: number | null
  readonly oldestWriteMs: number | null
  /** From here on the server keeps its log for the slot. */
  readonly restartLsn: Lsn | null
  /** The open transaction that keeps it there, the oldest that has written; null where there is none. */
  readonly oldestWrite: OpenWrite | null
  /** The consumers of all changes, at most 20, the one that is furthest behind first. */
  readonly consumers: readonly ConsumerLag[]
  readonly stuckMutations: number | null
  /** Runs in a row that failed. */
  readonly failedCycles: number
  readonly subscribers: number
  readonly subscribersBehind: number
  readonly longestBehindMs: number
  /** As the SyncDOs told it with their last leases, which are up to ten minutes old. */
  readonly unsent: UnsentWork
  /** At most 20 groups, of clients that were heard of within 30 days. */
  readonly clients: readonly ClientGroup[]
  /** The last hour by minutes, oldest first; minutes in which nothing happened are absent. */
  readonly minutes: readonly MinuteFigures[]
}

/** What other objects and the Worker tell the ReplicationDO for health. */
export interface HealthNews {
  /** Pushes that failed as a whole since the last report, by kind of error. */
  readonly faults?: Readonly<Record<string, number>>
  /** A snapshot that was built, or could not be; `fault` is the kind of error. */
  readonly build?: { readonly ms: number; readonly fault: string | null; readonly audience: string }
}

export interface SyncHealth {
  readonly status: 'ok' | 'warn' | 'fail'
  readonly epoch: string | null
  readonly head: Lsn | null
  readonly sockets: number
  readonly audiences: number
  readonly logBytes: number
  readonly checks: readonly HealthCheck[]
}
