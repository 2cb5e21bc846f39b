import type { Failure } from 'tidemark/client'
import { useReplica, useReplicaStatus } from './replica-context.ts'

/** The writes that were refused and wait for a decision. */
export function useFailures(): readonly Failure[] {
  const replica = useReplica()
  useReplicaStatus(replica)
  return replica.failures
}
