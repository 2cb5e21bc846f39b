import { createContext, useContext, useSyncExternalStore } from 'react'
import type { Replica, ReplicaStatus } from 'tidemark/client'

export const ReplicaContext = createContext<Replica | null>(null)

/** The open replica. Throws outside of `ReplicaGate`. */
export function useReplica(): Replica {
  const replica = useContext(ReplicaContext)
  if (replica === null) throw new Error('There is no open replica here.')
  return replica
}

export function useReplicaStatus(replica: Replica): ReplicaStatus {
  return useSyncExternalStore(
    (onChange) => replica.subscribe(onChange),
    () => replica.status,
  )
}
