import { DurableObject } from 'cloudflare:workers'
import type { DatabaseEnv } from '../../workers/env.ts'
import { withTestDatabase } from './test-database.ts'

export { LoneReplicationDO } from './lone-replication.ts'
export { LoneSnapshotDO } from './lone-snapshot.ts'
export { StagedReplicationDO, StagedSnapshotDO, StagedSyncDO } from './staged.ts'
export { useDatabase } from './test-database.ts'

/*
 * Stands in for an app until workers/index.ts exports createSyncWorker: then its three classes and its worker take the
 * places of these, each class extended so that its environment passes through `withTestDatabase`.
 */

class Bare extends DurableObject<DatabaseEnv> {
  constructor(ctx: DurableObjectState, env: DatabaseEnv) {
    super(ctx, withTestDatabase(env))
  }
}

export class ReplicationDO extends Bare {}
export class SyncDO extends Bare {}
export class SnapshotDO extends Bare {}

export default {
  fetch: () => new Response('Not found.', { status: 404 }),
} satisfies ExportedHandler
