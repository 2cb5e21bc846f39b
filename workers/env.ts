import type { ReplicationRpc, SnapshotRpc, SyncRpc } from './contracts.ts'

/** Regions that Cloudflare makes Durable Objects in; see its documentation of `locationHint`. */
export const LOCATION_HINTS = ['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me'] as const
export type LocationHint = (typeof LOCATION_HINTS)[number]

/** The part of a Durable Object namespace that is used here; `DurableObjectNamespace` satisfies it. */
export interface ObjectNamespace<Rpc> {
  getByName(
    name: string,
    options?: { readonly locationHint?: LocationHint },
  ): Rpc & { fetch(request: Request): Promise<Response> }
}

/** The settings by which `workers/database` reaches Postgres. */
export interface DatabaseEnv {
  /** `postgres://…`, secret; on Neon the direct host, not the `-pooler` one. */
  readonly DATABASE_URL: string
  /** `host:port` of the WebSocket proxy in front of a plain Postgres; development and tests only. */
  readonly DATABASE_PROXY?: string
}

/** The part of a bucket that is used here; `R2Bucket` satisfies it. */
export interface SnapshotBucket {
  put(key: string, bytes: Uint8Array): Promise<unknown>
  get(key: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer> } | null>
  delete(keys: string[]): Promise<void>
}

/** The part of a bucket by which history is archived; `R2Bucket` satisfies it. */
export type ArchiveBucket = Pick<SnapshotBucket, 'put' | 'get'>

/** Bindings and secrets of a deployment. */
export interface SyncEnv extends DatabaseEnv {
  readonly REPLICATION: ObjectNamespace<ReplicationRpc>
  readonly SYNC: ObjectNamespace<SyncRpc>
  readonly SNAPSHOT: ObjectNamespace<SnapshotRpc>
  /** R2 bucket for the chunks of snapshots; without one they lie in the SnapshotDO's own storage. */
  readonly SNAPSHOTS?: SnapshotBucket
  /** R2 bucket that takes history before it is pruned; without one what is pruned is gone. */
  readonly ARCHIVE?: ArchiveBucket
  /** Secret of the operators' routes; without it they are closed. */
  readonly ADMIN_TOKEN?: string
  /** `https://…`, secret: told each change of health's verdict. */
  readonly HEALTH_WEBHOOK_URL?: string
  /** Secret by which what is told there is signed; without it nothing is. */
  readonly HEALTH_WEBHOOK_SECRET?: string
  /** `debug`, `info` (the default), `warn`, `error` or `off`: from which level on is logged. */
  readonly LOG_LEVEL?: string
}
