import type { SyncEnv } from '../../workers/env.ts'
import { createSnapshotObject } from '../../workers/snapshot/snapshot-object.ts'
import { withTestDatabase } from './test-database.ts'

/** The SnapshotDO without capture: its kicks reach nobody, and the test writes history and epochs itself. */
export class LoneSnapshotDO extends createSnapshotObject() {
  constructor(ctx: DurableObjectState, env: SyncEnv) {
    const nobody = { kick: async () => {} } as ReturnType<SyncEnv['REPLICATION']['getByName']>
    super(ctx, { ...withTestDatabase(env), REPLICATION: { getByName: () => nobody } })
  }
}
