import { createSyncWorker, jwt } from 'tidemark/workers'
import { sync } from './sync.ts'

/** The token names the user and the team whose tasks they may see. */
export const { worker, ReplicationDO, SyncDO, SnapshotDO } = createSyncWorker(sync, {
  ...jwt({ secret: (env) => env.JWT_SECRET, audiences: (claims) => [`team:${claims.team}`] }),
})

export default worker
