import type { ReplicationRpc } from '../../workers/contracts.ts'
import type { SnapshotBucket, SyncEnv } from '../../workers/env.ts'
import { createSnapshotObject } from '../../workers/snapshot/snapshot-object.ts'
import { withTestDatabase } from './test-database.ts'

/** The SnapshotDO without capture: its kicks reach nobody, and the test writes history and epochs itself. */
export class LoneSnapshotDO extends createSnapshotObject() {
  constructor(ctx: DurableObjectState, env: SyncEnv) {
    const nobody: Pick<ReplicationRpc, 'kick' | 'report'> = { kick: async () => {}, report: async () => {} }
    super(ctx, {
      ...withTestDatabase(env),
      REPLICATION: { getByName: () => nobody } as unknown as SyncEnv['REPLICATION'],
    })
  }
}

/** Tests set these to let the bucket refuse, or to bind none. */
export const bucketFaults = { unbound: false, put: false, get: false, delete: false }

function faultyBucket(bucket: SnapshotBucket): SnapshotBucket {
  const through = <Result>(operation: 'put' | 'get' | 'delete', work: () => Promise<Result>): Promise<Result> =>
    bucketFaults[operation] ? Promise.reject(new Error(`${operation}: We encountered an internal error.`)) : work()
  return {
    put: (key, bytes) => through('put', () => bucket.put(key, bytes)),
    get: (key) => through('get', () => bucket.get(key)),
    delete: (keys) => through('delete', () => bucket.delete(keys)),
  }
}

/** A LoneSnapshotDO with a real bucket, behind faults that a test switches on. */
export class LoneBucketDO extends LoneSnapshotDO {
  constructor(ctx: DurableObjectState, env: SyncEnv & { readonly TEST_BUCKET: SnapshotBucket }) {
    super(ctx, bucketFaults.unbound ? env : { ...env, SNAPSHOTS: faultyBucket(env.TEST_BUCKET) })
  }
}
