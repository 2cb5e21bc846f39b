import { LIMITS } from '../../protocol/index.ts'
import type { Audiences, Authenticate } from '../access/access.ts'
import type { LocationHint } from '../env.ts'
import type { PushOptions } from '../push/options.ts'
import type { Rate } from '../token-bucket.ts'

/** Sizes and rates of a SyncDO; each has a default. */
export interface SyncLimits {
  /** Characters of changes kept for reconnects. */
  readonly logChars: number
  readonly frameChars: number
  /** Characters sent and not acknowledged, per socket. */
  readonly windowChars: number
  readonly socketsPerUser: number
  /** Connections of one user. */
  readonly connects: Rate
  /** Messages on one socket. */
  readonly messages: Rate
  /** Postgres connections that one SyncDO holds at once. */
  readonly databaseConnections: number
  /** Clients whose owner is remembered without asking Postgres. */
  readonly knownClients: number
}

export interface SyncIntervals {
  /** An idle client learns the head at most this often. */
  readonly headNoticeMs: number
  /** For this long after its stream began a client learns every head at once. */
  readonly eagerMs: number
  /** A socket must have said hello by then. */
  readonly helloMs: number
  /** A socket with a full window must have acknowledged something by then. */
  readonly stallMs: number
  /** The statuses of clients are stored together, this long after the first of them. */
  readonly statusesMs: number
  /** A SyncDO without sockets, and an audience without sessions, leaves after this. */
  readonly lingerMs: number
}

export interface SyncObjectOptions {
  /** The options by which pushes are decided; without them none are taken. */
  readonly push?: PushOptions
  readonly authenticate: Authenticate
  readonly audiences: Audiences
  readonly limits?: Partial<SyncLimits>
  readonly intervals?: Partial<SyncIntervals>
  /** The location in which the ReplicationDO is made, where there is none yet. */
  readonly location?: LocationHint
}

export const DEFAULT_SYNC_LIMITS: SyncLimits = {
  logChars: 16 * 1024 * 1024,
  frameChars: LIMITS.frameBytes,
  windowChars: LIMITS.windowBytes,
  socketsPerUser: 50,
  connects: { burst: 60, refillMs: 1_000 },
  messages: { burst: 500, refillMs: 10 },
  databaseConnections: 4,
  knownClients: 10_000,
}

export const DEFAULT_SYNC_INTERVALS: SyncIntervals = {
  headNoticeMs: 10_000,
  eagerMs: 60_000,
  helloMs: 30_000,
  stallMs: 600_000,
  statusesMs: 5_000,
  lingerMs: 300_000,
}
