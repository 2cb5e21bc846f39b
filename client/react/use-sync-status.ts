import { useCallback } from 'react'
import { INITIAL_STATUS, type ReplicaStatus } from '../replica/status.ts'
import { useReplicaOpening } from './replica-context.ts'
import { useSelection } from './use-selection.ts'

const whole = (status: ReplicaStatus) => status
const nothingYet = () => INITIAL_STATUS

/**
 * Answers the replica's status, or the part that `select` picks; renders again only where that differs. Before the
 * replica is open it is `offline` and not ready.
 */
export function useSyncStatus(): ReplicaStatus
export function useSyncStatus<Part>(select: (status: ReplicaStatus) => Part): Part
export function useSyncStatus(select: (status: ReplicaStatus) => unknown = whole): unknown {
  const { replica } = useReplicaOpening()
  const subscribe = useCallback((listener: () => void) => replica?.subscribe(listener) ?? noStop, [replica])
  const read = useCallback(() => replica?.status ?? INITIAL_STATUS, [replica])
  return useSelection(subscribe, read, nothingYet, select)
}

const noStop = () => undefined
