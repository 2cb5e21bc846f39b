import type { SyncEnv } from '../../workers/env.ts'
import { createSyncWorker } from '../../workers/index.ts'
import type { ChangesMessage } from '../../workers/server/index.ts'
import { snapshotSync } from '../snapshot/snapshot-app.ts'
import { ADMIN_TOKEN, access } from './staged.ts'
import { withTestDatabase } from './test-database.ts'

export { LoneLaneDO } from './lone-lanes.ts'
export { LoneReplicationDO } from './lone-replication.ts'
export { LoneBucketDO, LoneSnapshotDO } from './lone-snapshot.ts'
export { StagedReplicationDO, StagedSnapshotDO, StagedSyncDO } from './staged.ts'
export { useDatabase } from './test-database.ts'

/** A whole app; its three classes and its worker use the test file's own database instead of the environment's. */
const app = createSyncWorker(snapshotSync, {
  ...access,
  slotName: 'tidemark_workerd_tests',
  intervals: { activeMs: 100, headNoticeMs: 100 },
  watch: false,
  history: true,
})

/** The bodies of the messages that came through the Queue. */
export const received: ChangesMessage[] = []

const ownEnv = (env: SyncEnv): SyncEnv => ({ ...env, ...withTestDatabase({}), ADMIN_TOKEN })

export class ReplicationDO extends app.ReplicationDO {
  constructor(ctx: DurableObjectState, env: SyncEnv) {
    super(ctx, ownEnv(env))
  }
}

export class SyncDO extends app.SyncDO {
  constructor(ctx: DurableObjectState, env: SyncEnv) {
    super(ctx, ownEnv(env))
  }
}

export class SnapshotDO extends app.SnapshotDO {
  constructor(ctx: DurableObjectState, env: SyncEnv) {
    super(ctx, ownEnv(env))
  }
}

export default {
  fetch: (request: Request, env: SyncEnv): Promise<Response> => app.worker.fetch(request, ownEnv(env)),
  queue: async ({ messages }: { readonly messages: readonly { readonly body: ChangesMessage }[] }): Promise<void> => {
    received.push(...messages.map(({ body }) => body))
  },
  scheduled: (controller: object, env: SyncEnv): Promise<void> => app.worker.scheduled(controller, ownEnv(env)),
}
