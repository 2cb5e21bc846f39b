export { openTestReplica, type TestReplica, type TestReplicaOptions } from './open-test-replica.ts'
export type { TestRows } from './rules/row-text.ts'
