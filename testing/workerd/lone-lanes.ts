import type { SyncEnv } from '../../workers/env.ts'
import type { PushOptions } from '../../workers/push/options.ts'
import { createSyncObject } from '../../workers/sync/sync-object.ts'
import { access } from './staged.ts'
import { withTestDatabase } from './test-database.ts'

/** Read when an object is made, so that a test can set the options by which its pushes are decided. */
export const laneOptions: { push?: PushOptions } = {}

/** SyncDOs that only push. */
export class LoneLaneDO extends createSyncObject(Object.assign(laneOptions, access)) {
  constructor(ctx: DurableObjectState, env: SyncEnv) {
    super(ctx, withTestDatabase(env))
  }
}
