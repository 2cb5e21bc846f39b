import type { ConnectionPhase, ConnectionState } from '../../connection/connection-state.ts'
import type { DrainEvent } from '../drain-state.ts'

const OUT: ReadonlySet<ConnectionPhase> = new Set(['closed', 'offline', 'refused'])

/** Answers the drain's event for a step of the connection, or null. `isNew`: the first time live on this socket. */
export function connectionEvent(before: ConnectionPhase, state: ConnectionState, isNew: boolean): DrainEvent | null {
  if (state.phase === 'closed') return { type: 'close' }
  if (state.phase === 'offline') return { type: 'offline' }
  if (state.phase === 'refused') return { type: 'refused', error: state.error }
  if (state.phase === 'live') return { type: 'live', isNew }
  if (OUT.has(before)) return { type: 'online' }
  return before === 'live' ? { type: 'lost' } : null
}
