import type { Lsn } from '../protocol/index.ts'
import type { HealthCheck, MinuteFigures, ReplicationHealth, UnsentWork } from './health-contract.ts'

/** What the page of operators shows and does, as the three Durable Objects answer it; plain JSON, without a value of a row. */

export type OperatorAction =
  | { readonly kind: 'pause-capture'; readonly minutes: number }
  | { readonly kind: 'resume-capture' }
  | { readonly kind: 'rebuild-slot' }
  | { readonly kind: 'drop-snapshot'; readonly audience: string }
  /** `object` names the SyncDO; null: the one at which the client was seen last. */
  | { readonly kind: 'rehydrate-client'; readonly client: string; readonly object: string | null }
  | { readonly kind: 'disconnect-client'; readonly client: string; readonly object: string | null }

export interface OperatorRequest {
  /** Names this request: a second one of the same id is answered as the first was, and does nothing. */
  readonly id: string
  /** Who asked, as they said. */
  readonly by: string
  readonly action: OperatorAction
}

/**
 * `begun`: it is under way, or what did it was ended meanwhile. `done`: it changed something. `already`: there was nothing to
 * change. `pending`: it is stored, and done once the database or the client answers. `failed`: nothing was changed.
 */
export type OperatorOutcome = 'begun' | 'done' | 'already' | 'pending' | 'failed'

/** An action as the log of operators has it. */
export interface LoggedAction extends OperatorRequest {
  readonly atMs: number
  readonly outcome: OperatorOutcome
  /** What was done, for people. */
  readonly said: string
}

/** Capture stands still because an operator wanted it, at most until `untilMs`. */
export interface CapturePause {
  readonly sinceMs: number
  readonly untilMs: number
  readonly by: string
}

/** Something that went wrong, or began anew, and when. */
export interface OperatorEvent {
  readonly atMs: number
  /** The part that it happened in: `capture`, `push`, `snapshot`, `epoch`, `pause`. */
  readonly source: string
  readonly text: string
}

export interface SubscriberView {
  readonly name: string
  /** Audiences of the app, without those of clients themselves. */
  readonly audiences: number
  readonly clients: number
  readonly head: Lsn
  /** For how long it has owed an acknowledgement; null where it owes none. */
  readonly behindMs: number | null
  readonly leaseUntilMs: number
  readonly unsent: UnsentWork | null
}

export interface SnapshotView {
  readonly audience: string
  readonly atMs: number
  /** The time that the build took. */
  readonly ms: number
  /** Kind of the error for which it could not be built; null where it was. */
  readonly fault: string | null
  readonly isDropped: boolean
}

/** What the ReplicationDO knows, all of it from memory and its own storage. */
export interface ReplicationOperations {
  readonly nowMs: number
  readonly health: ReplicationHealth
  /** The time at which the server's figures were read from the database; null: not since the object began. */
  readonly figuresAtMs: number | null
  readonly nextCycleAtMs: number | null
  readonly slotName: string
  readonly pause: CapturePause | null
  /** The last six hours by minutes. */
  readonly minutes: readonly MinuteFigures[]
  /** At most 200. */
  readonly subscribers: readonly SubscriberView[]
  readonly snapshots: readonly SnapshotView[]
  readonly events: readonly OperatorEvent[]
  readonly actions: readonly LoggedAction[]
}

export interface AudienceView {
  readonly name: string
  /** The place at which it joined; null: it waits to. */
  readonly start: Lsn | null
  readonly sessions: number
}

export interface ClientView {
  readonly client: string
  readonly isConnected: boolean
  readonly userId: string | null
  readonly phase: string | null
  readonly position: Lsn | null
  readonly connectedAtMs: number | null
  /** The version of the definition that it holds, and the last migration that its page knows; null where it did not say. */
  readonly version: number | null
  readonly migration: string | null
  /** Tables that wait to be loaded, attempts in vain, and why. */
  readonly waiting: number
  readonly retries: number
  readonly schemaFault: string | null
  readonly unsentSinceMs: number | null
  readonly failedMutations: number
  readonly refusedTables: number
  /** True where it is to load everything anew and has not begun to stream since. */
  readonly isToLoad: boolean
  /** The last error that it was told. */
  readonly lastError: { readonly atMs: number; readonly kind: string; readonly message: string } | null
}

/** What one SyncDO knows, all of it from memory and its own storage. */
export interface SyncOperations {
  readonly nowMs: number
  readonly name: string | null
  readonly status: HealthCheck['status']
  readonly checks: readonly HealthCheck[]
  readonly epoch: string | null
  readonly head: Lsn | null
  readonly target: Lsn
  readonly leaseUntilMs: number
  readonly sockets: number
  readonly logChars: number
  /** At most 200; those with most sessions first. */
  readonly audiences: readonly AudienceView[]
  readonly audienceCount: number
  /** At most 200; connected ones and those in trouble first. */
  readonly clients: readonly ClientView[]
  readonly clientCount: number
}

/** What became of an order for a client. */
export interface ClientOrderAnswer {
  /** Its sockets that were told. */
  readonly sockets: number
  /** True where it was ordered before and has not done so yet. */
  readonly isRepeated: boolean
}
