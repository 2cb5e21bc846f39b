import type { ReactNode } from 'react'
import type { ReplicaPhase } from 'tidemark/client'
import { useSyncStatus } from 'tidemark/react'
import { formatBytes, formatCount } from './format.ts'
import { useTracker } from './tracker-replica.ts'
import { Wordmark } from './wordmark.tsx'

interface HydrationProps {
  readonly onSignOut: () => void
}

/** Shown while Postgres starts in the page. */
export function OpeningView({ progress, onSignOut }: HydrationProps & { readonly progress: number }) {
  return (
    <LoadingCard title="Opening your replica" onSignOut={onSignOut}>
      <p className="muted">Starting Postgres in this tab.</p>
      <Bar progress={progress} />
    </LoadingCard>
  )
}

/** Shown until the replica holds a whole state of the server's; most of that is the first load. */
export function HydrationView({ onSignOut }: HydrationProps) {
  const replica = useTracker()
  const { phase, hydration, progress, error } = useSyncStatus()
  const goOnline = (
    <button type="button" className="button primary" onClick={() => replica.goOnline()}>
      {phase === 'offline' ? 'Go online' : 'Try again'}
    </button>
  )
  switch (phase) {
    case 'offline':
      return (
        <LoadingCard title="You are offline" onSignOut={onSignOut} action={goOnline}>
          <p className="muted">The first load needs the server.</p>
        </LoadingCard>
      )
    case 'refused':
      return (
        <LoadingCard title={refusalTitle(error?.kind)} onSignOut={onSignOut} action={goOnline}>
          <p className="muted">{error?.message}</p>
        </LoadingCard>
      )
    case 'backing-off':
      return (
        <LoadingCard title="The server does not answer" onSignOut={onSignOut}>
          <p className="muted">{error?.message} The load goes on where it stopped as soon as it does.</p>
          <Bar progress={progress} />
        </LoadingCard>
      )
    default:
      return (
        <LoadingCard title={hydration ? 'Filling your replica' : waitingTitle(phase, progress)} onSignOut={onSignOut}>
          <p className="muted">Only this first time; from now on just the changes travel.</p>
          <Bar progress={progress} />
          {hydration && hydration.totalRows > 0 && <Figures {...hydration} />}
        </LoadingCard>
      )
  }
}

function LoadingCard(props: { title: string; children: ReactNode; action?: ReactNode; onSignOut: () => void }) {
  return (
    <main className="centred">
      <section className="card hydration" aria-live="polite">
        <Wordmark />
        <h1>{props.title}</h1>
        {props.children}
        {props.action && <div className="notice-actions">{props.action}</div>}
        <button type="button" className="link" onClick={props.onSignOut}>
          Choose another user
        </button>
      </section>
    </main>
  )
}

/** Titles the waits before the first row, and after the last until the newest changes arrive. */
function waitingTitle(phase: ReplicaPhase, progress: number): string {
  if (phase === 'hydrating') return 'Preparing your snapshot'
  return progress >= 0.95 ? 'Almost there' : 'Connecting'
}

/** One bar from the click to the list; it never goes back. */
function Bar({ progress }: { progress: number }) {
  return (
    <>
      <progress className="visually-hidden" value={progress} max={1} aria-label="Opening" />
      <div className="progress" style={{ '--share': `${progress * 100}%` }} />
    </>
  )
}

function Figures(props: { rows: number; totalRows: number; bytes: number; totalBytes: number }) {
  return (
    <dl className="hydration-figures">
      <div>
        <dt>Rows</dt>
        <dd>
          {formatCount(props.rows)} <span className="muted">of {formatCount(props.totalRows)}</span>
        </dd>
      </div>
      <div>
        <dt>Downloaded</dt>
        <dd>
          {formatBytes(props.bytes)} <span className="muted">of {formatBytes(props.totalBytes)}</span>
        </dd>
      </div>
    </dl>
  )
}

function refusalTitle(kind: string | undefined): string {
  if (kind === 'storage') return 'This device has no room for the replica'
  if (kind === 'limit-exceeded') return 'There is more to load than this device should hold'
  return 'The server refuses this replica'
}
