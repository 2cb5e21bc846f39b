import type { Lsn, RehydrateReason, TidemarkError } from '../../protocol/index.ts'
import type { ConnectionPhase } from '../connection/connection-state.ts'
import type { HydrationProgress } from './load-copy.ts'
import type { CheckReport } from './self-check.ts'

/**
 * `connecting` and `backing-off` still read locally; `hydrating` loads snapshots; `catching-up` applies what was missed;
 * `live` has reached the server's head; `refused` will not try again by itself: see `error`, then `goOnline()`. `switching`:
 * another tab takes over for all, and until then calls wait.
 */
export type ReplicaPhase =
  | 'offline'
  | 'connecting'
  | 'hydrating'
  | 'catching-up'
  | 'live'
  | 'backing-off'
  | 'refused'
  | 'switching'
  | 'closed'

/** A version of the app's schema that is not here, because the last try failed. */
export interface FailedMigration {
  readonly version: number
  /** What went wrong at the last try. */
  readonly error: string
  /** How often it was tried again in vain since it first failed. */
  readonly retries: number
}

/** How far the tables have followed the app's schema. */
export interface MigrationsStatus {
  /** The version of the definition that they have; null where nothing is held. */
  readonly version: number | null
  /** Versions, oldest first, that the server has in force and the tables do not wholly follow yet. */
  readonly pending: readonly number[]
  /** Versions, oldest first, that came here since the replica was opened; the last 100. */
  readonly applied: readonly number[]
  /** Tables, by id, that wait to be loaded for it: they show what they held, and what is written to them waits. */
  readonly waiting: readonly string[]
  /** The reason why the steps of a version failed here, so that its tables are loaded; it stands until a later version. */
  readonly fault: string | null
  /** The version that could not be taken here yet; it is tried again by itself, with growing pauses. */
  readonly failed: FailedMigration | null
}

export interface ReplicaStatus {
  readonly phase: ReplicaPhase
  /** True while the tables hold a whole state of the server's, of the commit `lsn`. */
  readonly ready: boolean
  readonly epoch: string | null
  /** The place up to which the server's commits are applied; null for a replica that holds nothing. */
  readonly lsn: Lsn | null
  /** The server's own position, as last heard; null before the first welcome. */
  readonly head: Lsn | null
  readonly audiences: readonly string[]
  /** Synced rows held. */
  readonly rows: number
  /** The progress of the load in hand, over all audiences; null when there is none. */
  readonly hydration: (HydrationProgress & { readonly reason: RehydrateReason }) | null
  /** The part of the way to `ready` that this opening has behind it, from 0 to 1; it never falls. */
  readonly progress: number
  /** The time at which server changes were last applied here; ISO 8601. */
  readonly lastChangeAt: string | null
  /** The reason why the storage was made anew when it was opened; null when it was not. */
  readonly rebuilt: string | null
  /** Synced tables that cannot be held here, by id, and why; everything else goes on without them. */
  readonly refused: Readonly<Record<string, string>>
  readonly migrations: MigrationsStatus
  /** What the last comparison with the server found, since the replica was opened; null before the first. */
  readonly check: CheckReport | null
  /** Mutations of this user that the server has not decided, or whose commit the stream has not brought. */
  readonly pending: number
  /** The time at which the oldest of them was made here, ISO 8601; null where there is none. */
  readonly pendingSince: string | null
  /** Mutations that failed and wait for the app, see `replica.failures`. */
  readonly failed: number
  /** The reason why mutations are not being sent, until a push is answered. */
  readonly pushError: TidemarkError | null
  /**
   * The reason why unsent work lies in the database alone, with no journal beside it; null while both have it. It is
   * tried again by itself, and nothing that is written is refused for it.
   */
  readonly unprotected: string | null
  /**
   * True where the browser promised not to clear the storage by itself, false where it did not; null until it has answered,
   * and where there is nobody to ask.
   */
  readonly persisted: boolean | null
  /** The tabs that share the replica, and this one's part; null where they share none. */
  readonly tabs: { readonly role: 'leader' | 'follower'; readonly count: number } | null
  readonly canUndo: boolean
  readonly canRedo: boolean
  /** The last fault, until the replica is live again. */
  readonly error: TidemarkError | null
}

export const NO_MIGRATIONS: MigrationsStatus = {
  version: null,
  pending: [],
  applied: [],
  waiting: [],
  fault: null,
  failed: null,
}

const PHASES: Readonly<Record<ConnectionPhase, ReplicaPhase>> = {
  closed: 'closed',
  offline: 'offline',
  authorizing: 'connecting',
  connecting: 'connecting',
  greeting: 'connecting',
  hydrating: 'hydrating',
  'catching-up': 'catching-up',
  live: 'live',
  'backing-off': 'backing-off',
  refused: 'refused',
}

export const replicaPhase = (phase: ConnectionPhase): ReplicaPhase => PHASES[phase]

export type StatusListener = (status: ReplicaStatus) => void

/** The status of a replica that has not done anything yet. */
export const INITIAL_STATUS: ReplicaStatus = {
  phase: 'offline',
  ready: false,
  epoch: null,
  lsn: null,
  head: null,
  audiences: [],
  rows: 0,
  hydration: null,
  progress: 0,
  lastChangeAt: null,
  rebuilt: null,
  refused: {},
  migrations: NO_MIGRATIONS,
  check: null,
  pending: 0,
  pendingSince: null,
  failed: 0,
  pushError: null,
  unprotected: null,
  persisted: null,
  tabs: null,
  canUndo: false,
  canRedo: false,
  error: null,
}

/** Holds the status and passes it to listeners, of which one that throws harms no other. */
export class StatusStore {
  #status: ReplicaStatus
  #listeners = new Set<StatusListener>()

  constructor(rebuilt: string | null) {
    this.#status = { ...INITIAL_STATUS, rebuilt }
  }

  get current(): ReplicaStatus {
    return this.#status
  }

  set(change: Partial<ReplicaStatus>): void {
    this.#status = { ...this.#status, ...change }
    for (const listener of [...this.#listeners]) {
      try {
        listener(this.#status)
      } catch (error) {
        // Reported as the app's own uncaught error, away from the caller.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  subscribe(listener: StatusListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
