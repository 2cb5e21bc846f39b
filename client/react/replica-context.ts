import { createContext, useContext } from 'react'
import type { Sync } from '../../db/define-sync.ts'
import { TidemarkError } from '../../protocol/index.ts'
import type { Replica } from '../replica-api.ts'
import { NOT_BEGUN, type ReplicaOpening } from './replica-opening.ts'

export const ReplicaContext = createContext<ReplicaOpening>(NOT_BEGUN)

/** Answers the open replica. Throws `unavailable` where none is open: outside of the provider, or before it has opened. */
export function useReplica<S extends Sync = Sync>(): Replica<S> {
  const { replica } = useReplicaOpening<S>()
  if (replica) return replica
  throw new TidemarkError(
    'unavailable',
    'There is no open replica here: use this below a ReplicaProvider with a fallback, or useReplicaOpening().',
  )
}

/** Answers how far the replica is on its way to be open. On a server, that is nowhere. */
export function useReplicaOpening<S extends Sync = Sync>(): ReplicaOpening<S> {
  // The provider decides which definition the replica is of; whoever asks says the same one.
  return useContext(ReplicaContext) as unknown as ReplicaOpening<S>
}
