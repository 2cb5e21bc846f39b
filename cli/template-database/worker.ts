import { createSyncWorker, jwt } from 'tidemark/workers'
import { sync } from './sync.ts'

/**
 * DECIDE: what may the bearer of a token see? Here the token says it itself, as a list such as ["customer:1"]; from the
 * database: docs/access.md.
 */
export const { worker, ReplicationDO, SyncDO, SnapshotDO } = createSyncWorker(sync, {
  ...jwt({ secret: (env) => env.JWT_SECRET, audiences: (claims) => claims.audiences as string[] }),
})

export default worker
