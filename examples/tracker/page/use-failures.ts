import type { Failure } from 'tidemark/client'
import { useReplica, useReplicaStatus } from './replica-context.ts'

/** What was refused and waits for a decision. */
export function useFailures(): readonly Failure[] {
  const replica = useReplica()
  useReplicaStatus(replica)
  return replica.failures
}
