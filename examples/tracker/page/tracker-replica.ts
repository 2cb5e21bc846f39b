import type { Replica } from 'tidemark/client'
import { useReplica } from 'tidemark/react'
import type { sync } from '../sync.ts'

export type TrackerReplica = Replica<typeof sync>

/** Returns the open replica, of the tracker's definition. Throws outside of `ReplicaGate`. */
export const useTracker = (): TrackerReplica => useReplica<typeof sync>()
