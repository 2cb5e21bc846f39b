import { useEffect, useRef, useState } from 'react'
import { formatPgLsn, type Lsn, lsnDistanceBytes } from 'tidemark/protocol'
import { formatBytes, formatClock, formatCount } from './format.ts'
import { useReplica, useReplicaStatus } from './replica-context.ts'
import { useLiveQuery } from './use-live-query.ts'

const ROWS = `
  SELECT (SELECT count(*) FROM organization) + (SELECT count(*) FROM membership) + (SELECT count(*) FROM project)
    + (SELECT count(*) FROM label) + (SELECT count(*) FROM issue) + (SELECT count(*) FROM issue_label)
    + (SELECT count(*) FROM comment) AS rows`

const PHASE_WORDS: Readonly<Record<string, string>> = {
  opening: 'Opening',
  connecting: 'Connecting',
  hydrating: 'Loading',
  'catching-up': 'Catching up',
  live: 'Live',
  offline: 'Offline',
  failed: 'Stopped',
}

/** What the replica is doing, where it stands, and the switch that takes it off the net. */
export function StatusBar() {
  const replica = useReplica()
  const status = useReplicaStatus(replica)
  const rows = useLiveQuery<{ rows: number }>(ROWS).rows?.[0]?.rows
  const lastChange = useLastChange(status.lsn)
  const isOffline = status.phase === 'offline'
  return (
    <footer className="status-bar">
      <span className="phase" data-phase={status.phase} role="status">
        {PHASE_WORDS[status.phase] ?? status.phase}
      </span>
      {status.error && (
        <span className="status-error ellipsis" title={status.error.message}>
          {status.error.message}
        </span>
      )}
      <Figure name="Position" value={status.lsn ? formatPgLsn(status.lsn) : '–'} testId="lsn" />
      <Figure name="Behind" value={behind(status.lsn, status.head)} />
      <Figure name="Rows" value={rows === undefined ? '–' : formatCount(rows)} testId="rows" />
      <Figure name="Last change" value={lastChange ? formatClock(lastChange) : 'none yet'} />
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

/** When the position last moved while this page was open. */
function useLastChange(lsn: Lsn | null): Date | null {
  const [changedAt, setChangedAt] = useState<Date | null>(null)
  const shown = useRef(lsn)
  useEffect(() => {
    if (shown.current === lsn) return
    shown.current = lsn
    setChangedAt(new Date())
  }, [lsn])
  return changedAt
}
