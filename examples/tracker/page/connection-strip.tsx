import { useSyncStatus } from 'tidemark/react'
import { formatClock } from './format.ts'

/** Shows above the list, while there is no connection, how old its rows are. */
export function ConnectionStrip() {
  const { phase, lastChangeAt } = useSyncStatus()
  if (phase !== 'offline' && phase !== 'backing-off' && phase !== 'refused') return null
  const since = lastChangeAt ? ` The last change arrived at ${formatClock(new Date(lastChangeAt))}.` : ''
  return (
    <p className="strip" role="status">
      {phase === 'offline' ? 'You are offline.' : 'There is no connection to the server.'} Everything here is on this
      device and stays usable.{since}
    </p>
  )
}
