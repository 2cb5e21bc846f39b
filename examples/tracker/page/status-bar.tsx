import type { ReplicaPhase } from 'tidemark/client'
import { formatPgLsn, type Lsn, lsnDistanceBytes } from 'tidemark/protocol'
import { useSyncStatus } from 'tidemark/react'
import { formatBytes, formatClock, formatCount } from './format.ts'
import { useTracker } from './tracker-replica.ts'
import type { UndoActions } from './use-undo.ts'

const PHASE_WORDS: Readonly<Record<ReplicaPhase, string>> = {
  connecting: 'Connecting',
  'backing-off': 'No connection',
  hydrating: 'Loading anew',
  'catching-up': 'Catching up',
  live: 'Live',
  offline: 'Offline',
  refused: 'Refused',
  switching: 'Another tab takes over',
  closed: 'Closed',
}

/** What is shown below the issues. */
export type Panel = 'feed' | 'log' | 'debug'

const PANEL_WORDS: Readonly<Record<Panel, string>> = { feed: 'Feed', log: 'Log', debug: 'Debug' }

interface StatusBarProps {
  readonly undo: UndoActions
  readonly panel: Panel | null
  readonly onToggle: (panel: Panel) => void
  readonly onReview: () => void
  readonly onShowKeys: () => void
}

/** Shows the replica's phase, its position and the writes that wait, and the switch that takes it offline. */
export function StatusBar(props: StatusBarProps) {
  const replica = useTracker()
  const { phase, error, lsn, head, rows, lastChangeAt, pending, failed, ...status } = useSyncStatus()
  const isOffline = phase === 'offline'
  const fault = error ?? status.pushError
  return (
    <footer className="status-bar">
      <span className="phase" data-phase={phase} role="status">
        {PHASE_WORDS[phase]}
      </span>
      {fault && (
        <span className="status-error ellipsis" title={fault.message}>
          {fault.message}
        </span>
      )}
      {phase === 'refused' && (
        <button type="button" className="link" onClick={() => replica.goOnline()}>
          Try again
        </button>
      )}
      <span className="figure waiting-writes" data-pending={pending} data-testid="pending">
        {pending === 0 ? 'All saved' : `${formatCount(pending)} to send`}
      </span>
      {failed > 0 && (
        <button type="button" className="link failed-count" onClick={props.onReview}>
          {formatCount(failed)} refused
        </button>
      )}
      <Figure name="Position" value={lsn ? formatPgLsn(lsn) : '–'} testId="lsn" />
      <Figure name="Behind" value={phase === 'live' || phase === 'catching-up' ? behind(lsn, head) : '–'} />
      <Figure name="Rows" value={formatCount(rows)} testId="rows" />
      <Figure name="Last change" value={lastChangeAt ? formatClock(new Date(lastChangeAt)) : 'none yet'} />
      <span className="status-actions">
        <button
          type="button"
          className="link"
          aria-keyshortcuts="Control+Z"
          disabled={!status.canUndo}
          onClick={props.undo.undo}
        >
          Undo
        </button>
        <button
          type="button"
          className="link"
          aria-keyshortcuts="Control+Shift+Z"
          disabled={!status.canRedo}
          onClick={props.undo.redo}
        >
          Redo
        </button>
        {(['feed', 'log', 'debug'] as const).map((panel) => (
          <button
            key={panel}
            type="button"
            className="link"
            aria-pressed={props.panel === panel}
            aria-keyshortcuts={panel.charAt(0)}
            onClick={() => props.onToggle(panel)}
          >
            {PANEL_WORDS[panel]}
          </button>
        ))}
        <button type="button" className="link keys" aria-keyshortcuts="?" onClick={props.onShowKeys}>
          Keys <kbd>?</kbd>
        </button>
      </span>
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
