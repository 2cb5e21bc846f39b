import type { ReplicaPhase } from 'tidemark/client'
import { formatPgLsn, type Lsn, lsnDistanceBytes } from 'tidemark/protocol'
import { formatBytes, formatClock, formatCount } from './format.ts'
import { useReplica, useReplicaStatus } from './replica-context.ts'

const PHASE_WORDS: Readonly<Record<ReplicaPhase, string>> = {
  connecting: 'Connecting',
  'backing-off': 'No connection',
  hydrating: 'Loading anew',
  'catching-up': 'Catching up',
  live: 'Live',
  offline: 'Offline',
  refused: 'Refused',
  closed: 'Closed',
}

/** What the replica is doing, where it stands, and the switch that takes it off the net. */
export function StatusBar({ onShowKeys }: { onShowKeys: () => void }) {
  const replica = useReplica()
  const { phase, error, lsn, head, rows, lastChangeAt } = useReplicaStatus(replica)
  const isOffline = phase === 'offline'
  return (
    <footer className="status-bar">
      <span className="phase" data-phase={phase} role="status">
        {PHASE_WORDS[phase]}
      </span>
      {error && (
        <span className="status-error ellipsis" title={error.message}>
          {error.message}
        </span>
      )}
      {phase === 'refused' && (
        <button type="button" className="link" onClick={() => replica.goOnline()}>
          Try again
        </button>
      )}
      <Figure name="Position" value={lsn ? formatPgLsn(lsn) : '–'} testId="lsn" />
      <Figure name="Behind" value={phase === 'live' || phase === 'catching-up' ? behind(lsn, head) : '–'} />
      <Figure name="Rows" value={formatCount(rows)} testId="rows" />
      <Figure name="Last change" value={lastChangeAt ? formatClock(new Date(lastChangeAt)) : 'none yet'} />
      <button type="button" className="link keys" aria-keyshortcuts="?" onClick={onShowKeys}>
        Keys <kbd>?</kbd>
      </button>
      <button
        type="button"
        role="switch"
        className="switch"
        aria-checked={!isOffline}
        onClick={() => (isOffline ? replica.goOnline() : replica.goOffline())}
      >
        Online
      </button>
    </footer>
  )
}

function Figure({ name, value, testId }: { name: string; value: string; testId?: string }) {
  return (
    <span className="figure">
      {name} <span data-testid={testId}>{value}</span>
    </span>
  )
}

function behind(lsn: Lsn | null, head: Lsn | null): string {
  if (lsn === null || head === null) return '–'
  return head <= lsn ? 'nothing' : formatBytes(lsnDistanceBytes(lsn, head))
}
