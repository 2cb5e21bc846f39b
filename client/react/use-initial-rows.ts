import { useCallback, useEffect, useMemo, useState } from 'react'
import { asLsn, type Lsn, parsePgLsn } from '../../protocol/index.ts'
import type { LiveStore } from '../live/live-rows.ts'
import type { ReplicaStatus } from '../replica/status.ts'
import type { Replica } from '../replica-api.ts'
import { useReplicaOpening } from './replica-context.ts'
import { useSyncStatus } from './use-sync-status.ts'

/** How far a replica is on its way to the commit at which rows that came with the page were read. */
interface Arrival {
  /** The query may be asked: the replica is ready and holds the commit, or no rows came. */
  readonly isOpen: boolean
  /** The query was answered since; once true it stays so for this replica. */
  readonly isAnswered: boolean
  readonly noteAnswer: () => void
}

/** Follows a replica to the commit `lsn` (null where no rows came), and has it look for that where it is live without it. */
export function useArrival(lsn: Lsn | string | null): Arrival {
  const { replica } = useReplicaOpening()
  const wanted = lsn?.includes('/') ? parsePgLsn(lsn) : lsn === null ? null : asLsn(lsn)
  const select = useCallback(
    ({ ready, lsn: held, phase }: ReplicaStatus) => ({
      isHeld: wanted === null || (ready && held !== null && held >= wanted),
      isLive: phase === 'live',
    }),
    [wanted],
  )
  const { isHeld, isLive } = useSyncStatus(select)
  const [answered, setAnswered] = useState<{ readonly replica: Replica | null; readonly lsn: Lsn | null } | null>(null)
  const isAnswered = wanted === null || (answered?.replica === replica && answered.lsn === wanted)
  useEffect(() => {
    if (replica && isLive && wanted !== null && !isHeld && !isAnswered) lookFor(replica, wanted)
  }, [isHeld, isLive, isAnswered, replica, wanted])
  const noteAnswer = useCallback(() => setAnswered({ replica, lsn: wanted }), [replica, wanted])
  return useMemo(() => ({ isOpen: isHeld || isAnswered, isAnswered, noteAnswer }), [isHeld, isAnswered, noteAnswer])
}

/** Runs the query anew once it may be asked: what others who have it open were shown may be an answer of earlier. */
export function useFirstAnswer({ isOpen, isAnswered, noteAnswer }: Arrival, store: LiveStore<unknown>): void {
  useEffect(() => {
    if (!isOpen || isAnswered) return
    let isWanted = true
    void store.refresh().then(() => isWanted && noteAnswer())
    return () => {
      isWanted = false
    }
  }, [isOpen, isAnswered, noteAnswer, store])
}

const waits = new WeakMap<Replica, Set<Lsn>>()

/** Has the replica look for a place, once for all who wait for it: on a quiet database nothing else would bring it there. */
function lookFor(replica: Replica, lsn: Lsn): void {
  const sought = waits.get(replica) ?? new Set()
  waits.set(replica, sought)
  if (sought.has(lsn)) return
  sought.add(lsn)
  const end = () => void sought.delete(lsn)
  replica.reached(lsn).then(end, end)
}
