import type { ReactNode } from 'react'
import { mutationFacts, mutationTimes, queryFacts, statusFacts } from '../rules/debug-facts.ts'
import { useFailures } from '../use-failures.ts'
import { useMutations } from '../use-mutations.ts'
import { useSyncStatus } from '../use-sync-status.ts'
import { useInspection } from './use-inspection.ts'

/** The mutations that the panel lists. */
const SHOWN = 50

/**
 * Shows what a replica does, for those who build an app: phase and cursors, outbox and failures, live queries with
 * their runs and times, frames, migrations and tabs. Drop it in below a ReplicaProvider: `section.tidemark-debug`.
 */
export function TidemarkDebugPanel({ onClose }: { readonly onClose?: () => void }) {
  const status = useSyncStatus()
  const inspection = useInspection()
  const facts = statusFacts(status)
  const frames = inspection?.frames
  return (
    <section className="tidemark-debug" aria-label="Replica">
      <header>
        <h2>Replica</h2>
        {onClose && (
          <button type="button" className="tidemark-link" onClick={onClose}>
            Close
          </button>
        )}
      </header>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {inspection && (
          <div>
            <dt>storage</dt>
            <dd>{inspection.storage}</dd>
          </div>
        )}
        {frames && (
          <div>
            <dt>frames</dt>
            <dd>
              {frames.received} received ({frames.receivedCharacters} characters), {frames.sent} sent
            </dd>
          </div>
        )}
      </dl>
      <Failures />
      <LiveQueries queries={inspection?.liveQueries ?? []} />
      <Mutations />
    </section>
  )
}

function Failures() {
  const failures = useFailures()
  return (
    <Part title={`Failures ${failures.length}`}>
      {failures.map(({ id, action, rows, rejection, retry, discard }) => (
        <tr key={id}>
          <td>{counterIn(id)}</td>
          <td>{action ? `${action.name}()` : rows.map(({ op, table }) => `${op} ${table}`).join(', ')}</td>
          <td>
            {rejection.kind}: {rejection.message}
          </td>
          <td>
            <button type="button" className="tidemark-link" onClick={() => void retry().catch(() => undefined)}>
              Retry
            </button>{' '}
            <button type="button" className="tidemark-link" onClick={() => void discard().catch(() => undefined)}>
              Discard
            </button>
          </td>
        </tr>
      ))}
    </Part>
  )
}

function LiveQueries({ queries }: { readonly queries: readonly Parameters<typeof queryFacts>[0][] }) {
  return (
    <Part title={`Live queries ${queries.length}`}>
      {queries.map((query, index) => {
        const { runs, reads, shown } = queryFacts(query)
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: two queries of one text differ by parameters, which are not shown.
          <tr key={`${index} ${query.text}`} data-state={query.state}>
            <td>
              <code title={query.text}>{query.text.trim().replace(/\s+/g, ' ').slice(0, 120)}</code>
            </td>
            <td>{runs}</td>
            <td>{shown}</td>
            <td>{reads}</td>
          </tr>
        )
      })}
    </Part>
  )
}

function Mutations() {
  const mutations = useMutations().slice(0, SHOWN)
  return (
    <Part title={`Newest mutations ${mutations.length}`}>
      {mutations.map((mutation) => (
        <tr key={mutation.id} data-status={mutation.status}>
          <td>{counterIn(mutation.id)}</td>
          <td>
            {mutation.status}
            {!mutation.effective && mutation.status === 'sent' && ', without effect'}
          </td>
          <td>{mutationFacts(mutation)}</td>
          <td>{mutationTimes(mutation)}</td>
        </tr>
      ))}
    </Part>
  )
}

function Part({ title, children }: { readonly title: string; readonly children: readonly ReactNode[] }) {
  return (
    <table>
      <caption>{title}</caption>
      <tbody>{children}</tbody>
    </table>
  )
}

const counterIn = (id: string) => id.slice(id.lastIndexOf(':') + 1)
