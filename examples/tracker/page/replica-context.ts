import { createContext, useContext, useSyncExternalStore } from 'react'
import type { Replica, ReplicaStatus } from 'tidemark/client'
import type { sync } from '../sync.ts'

export type TrackerReplica = Replica<typeof sync>

export const ReplicaContext = createContext<TrackerReplica | null>(null)

/** Returns the open replica. Throws outside of `ReplicaGate`. */
export function useReplica(): TrackerReplica {
  const replica = useContext(ReplicaContext)
  if (replica === null) throw new Error('There is no open replica here.')
  return replica
}

export function useReplicaStatus(replica: TrackerReplica): ReplicaStatus {
  return useSyncExternalStore(
    (onChange) => replica.subscribe(onChange),
    () => replica.status,
  )
}
