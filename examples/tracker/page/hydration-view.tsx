import type { Replica } from 'tidemark/client'
import { formatBytes, formatCount } from './format.ts'
import { useReplicaStatus } from './replica-context.ts'
import { Wordmark } from './wordmark.tsx'

/** Shown until the replica holds everything for the first time. */
export function HydrationView({ replica, onSignOut }: { replica: Replica | null; onSignOut: () => void }) {
  return (
    <main className="centred">
      <section className="card hydration" aria-live="polite">
        <Wordmark />
        {replica ? <Progress replica={replica} /> : <Opening />}
        <button type="button" className="link" onClick={onSignOut}>
          Choose another user
        </button>
      </section>
    </main>
  )
}

function Opening() {
  return (
    <>
      <h1>Opening your replica</h1>
      <p className="muted">Starting Postgres in this tab.</p>
      <div className="progress progress-waiting" />
    </>
  )
}

function Progress({ replica }: { replica: Replica }) {
  const { phase, hydration, error } = useReplicaStatus(replica)
  if (phase === 'offline' || phase === 'connecting') {
    return (
      <>
        <h1>{phase === 'offline' ? 'You are offline' : 'Looking for the server'}</h1>
        <p className="muted">
          {error?.message ?? 'The first load needs the server; it goes on as soon as that answers.'}
        </p>
        <div className="progress progress-waiting" />
        {phase === 'offline' && (
          <button type="button" className="button primary" onClick={() => replica.goOnline()}>
            Go online
          </button>
        )}
      </>
    )
  }
  if (!hydration || hydration.totalRows === 0) {
    return (
      <>
        <h1>Preparing your snapshot</h1>
        <p className="muted">The server is reading the rows you may see.</p>
        <div className="progress progress-waiting" />
      </>
    )
  }
  const share = Math.min(1, hydration.rows / hydration.totalRows)
  return (
    <>
      <h1>Filling your replica</h1>
      <p className="muted">Only this first time; from now on just the changes travel.</p>
      <progress className="visually-hidden" value={hydration.rows} max={hydration.totalRows} aria-label="Rows loaded" />
      <div className="progress" style={{ '--share': `${share * 100}%` }} />
      <dl className="hydration-figures">
        <div>
          <dt>Rows</dt>
          <dd data-testid="hydrated-rows">
            {formatCount(hydration.rows)} <span className="muted">of {formatCount(hydration.totalRows)}</span>
          </dd>
        </div>
        <div>
          <dt>Downloaded</dt>
          <dd>
            {formatBytes(hydration.bytes)} <span className="muted">of {formatBytes(hydration.totalBytes)}</span>
          </dd>
        </div>
      </dl>
    </>
  )
}
