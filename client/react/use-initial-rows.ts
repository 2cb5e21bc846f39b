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

/** Follows a replica to the commit `lsn` (null where no rows came); where it is live without it, its head is asked for. */
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
    // On a quiet database nothing else would bring a replica that is live past this place.
    if (replica && isLive && !isHeld && !isAnswered) askForHead(replica)
  }, [isHeld, isLive, isAnswered, replica])
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

const asking = new WeakSet<Replica>()

/** Brings the replica to the server's fresh head, once for all who ask at a time. */
function askForHead(replica: Replica): void {
  if (asking.has(replica)) return
  asking.add(replica)
  const end = () => void asking.delete(replica)
  // Where that cannot be had, what came with the page stays until the stream brings more.
  replica.settled().then(end, end)
}
