import { useEffect, useState } from 'react'
import type { HistoryPage, ToldChange } from 'tidemark/client'
import { fieldWord } from './failure-words.ts'
import { FieldValue } from './field-value.tsx'
import { formatAgo, formatDateTime } from './format.ts'
import { useTracker } from './tracker-replica.ts'
import { useNow } from './use-now.ts'
import { useNames, usePast } from './use-past.ts'

const PAGE = 10
/** What the server counts by itself says nothing to people. */
const isShownField = (column: string) => !/^(version|updated_at|closed_at)$/.test(column)

/** Every version of an issue that the server keeps, newest first; `seen` changes when there may be another. */
export function IssueHistory({ issueId, seen, isDeleted }: { issueId: string; seen: string; isDeleted?: boolean }) {
  const replica = useTracker()
  const [most, setMost] = useState(isDeleted ? PAGE : 0)
  const [page, setPage] = useState<HistoryPage | null>(null)
  const [error, setError] = useState<string | null>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is asked again when the issue was changed.
  useEffect(() => {
    if (most === 0) return
    let isCurrent = true
    replica.history('issue', issueId, { limit: most }).then(
      (answer) => {
        if (isCurrent) setPage(answer)
        if (isCurrent) setError(null)
      },
      (fault: Error) => isCurrent && setError(fault.message),
    )
    return () => {
      isCurrent = false
    }
  }, [replica, issueId, most, seen])
  return (
    <section className="history" aria-label="History">
      <h2>
        History
        <button type="button" className="link" aria-expanded={most > 0} onClick={() => setMost(most > 0 ? 0 : PAGE)}>
          {most > 0 ? 'Hide' : 'Show all versions'}
        </button>
      </h2>
      {most > 0 && error !== null && (
        <p className="muted" role="alert">
          The history cannot be shown: {error}
        </p>
      )}
      {most > 0 && page === null && error === null && <p className="muted waiting">Asking the server…</p>}
      {most > 0 && page !== null && (
        <>
          {page.changes.length === 0 && <p className="muted">Nothing has been changed since history began.</p>}
          <ol>
            {page.changes.map((change, index) => (
              <Version key={`${change.lsn}.${change.seq}`} issueId={issueId} change={change} isNewest={index === 0} />
            ))}
          </ol>
          {page.next !== null && most < 100 && (
            <button type="button" className="button" onClick={() => setMost(Math.min(100, most + 3 * PAGE))}>
              Older versions
            </button>
          )}
        </>
      )}
    </section>
  )
}

const DONE = { insert: 'created it', update: 'changed', delete: 'deleted it', truncate: 'emptied the table' } as const

function Version(props: { readonly issueId: string; readonly change: ToldChange; readonly isNewest: boolean }) {
  const { issueId, change, isNewest } = props
  const { operation, data, before, at, user, lsn, mutation } = change
  const nameOf = useNames()
  const nowMs = useNow(30_000)
  const run = usePast()
  const columns = operation === 'update' ? Object.keys(data ?? {}).filter(isShownField) : []
  const time = new Date(at)
  const isThere = operation === 'insert' || operation === 'update'
  return (
    <li className="version" data-operation={operation}>
      <p className="version-head">
        <strong>{nameOf(user)}</strong> {DONE[operation]} {columns.map(fieldWord).join(', ')}
        <time dateTime={at} title={formatDateTime(time)}>
          {formatAgo(time, nowMs)}
        </time>
      </p>
      {columns.map((column) => (
        <p key={column} className="version-field">
          <del>
            <FieldValue column={column} value={before?.[column] ?? null} />
          </del>
          <span aria-hidden="true">→</span>
          <ins>
            <FieldValue column={column} value={data?.[column] ?? null} />
          </ins>
        </p>
      ))}
      <p className="version-actions">
        {isThere && !isNewest && (
          <button
            type="button"
            className="link"
            onClick={() => void run((replica) => replica.restore('issue', issueId, lsn))}
          >
            Restore this version
          </button>
        )}
        {mutation !== null && (
          <button type="button" className="link" onClick={() => void run((replica) => replica.rollback(mutation))}>
            Take back this change
          </button>
        )}
      </p>
    </li>
  )
}
