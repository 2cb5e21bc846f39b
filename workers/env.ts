import type { ReplicationRpc, SnapshotRpc, SyncRpc } from './contracts.ts'

/** What we ask of a Durable Object namespace; `DurableObjectNamespace` has it. */
export interface ObjectNamespace<Rpc> {
  getByName(name: string): Rpc & { fetch(request: Request): Promise<Response> }
}

/** How `workers/database` reaches Postgres. */
export interface DatabaseEnv {
  /** `postgres://…`, secret; on Neon the direct host, not the `-pooler` one. */
  readonly DATABASE_URL: string
  /** `host:port` of the WebSocket proxy in front of a plain Postgres; development and tests only. */
  readonly DATABASE_PROXY?: string
}

/** Bindings and secrets of a deployment. */
export interface SyncEnv extends DatabaseEnv {
  readonly REPLICATION: ObjectNamespace<ReplicationRpc>
  readonly SYNC: ObjectNamespace<SyncRpc>
  readonly SNAPSHOT: ObjectNamespace<SnapshotRpc>
  /** Secret of the operators' routes; without it they are closed. */
  readonly ADMIN_TOKEN?: string
}
