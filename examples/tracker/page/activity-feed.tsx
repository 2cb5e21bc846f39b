import { useCallback, useEffect, useState } from 'react'
import type { ActivityChange } from 'tidemark/client'
import { useLiveQuery, useSyncStatus } from 'tidemark/react'
import { Avatar } from './avatar.tsx'
import { fieldWord, tableName } from './failure-words.ts'
import { formatAgo, formatDateTime } from './format.ts'
import { useTracker } from './tracker-replica.ts'
import { useNow } from './use-now.ts'
import { useNames } from './use-past.ts'

const PAGE = 30
const REFERENCES = `
  SELECT issue.id, project.key || '-' || issue.number AS reference, issue.title
  FROM issue JOIN project ON project.id = issue.project_id WHERE issue.id = ANY($1::uuid[])`

interface ReferenceRow {
  id: string
  reference: string
  title: string
}

/** What happened in everything that this user sees, newest first, as the server keeps it. */
export function ActivityFeed({ organizationId, onClose }: { organizationId: string | null; onClose: () => void }) {
  const { changes, hasMore, error, readMore } = useFeed(organizationId)
  const subjects = [...new Set(changes.map(subjectOf).filter((id) => id !== null))]
  const { rows } = useLiveQuery<ReferenceRow>(REFERENCES, [subjects])
  const issues = new Map(rows?.map((row) => [row.id, row]))
  return (
    <section className="mutation-log feed" aria-label="Activity feed">
      <header>
        <h2>Activity</h2>
        <button type="button" className="link" onClick={onClose}>
          Close
        </button>
      </header>
      {error !== null && (
        <p className="muted blank" role="alert">
          The activity cannot be shown: {error}
        </p>
      )}
      <ol>
        {changes.map((change) => (
          <Line key={`${change.lsn}.${change.seq}`} change={change} issue={issues.get(subjectOf(change) ?? '')} />
        ))}
        {hasMore && (
          <li className="feed-more">
            <button type="button" className="button" onClick={readMore}>
              Older
            </button>
          </li>
        )}
      </ol>
    </section>
  )
}

/** The newest page, asked for again with every change that comes, and the older ones that were asked for. */
function useFeed(organizationId: string | null) {
  const replica = useTracker()
  const { lastChangeAt } = useSyncStatus()
  const [newest, setNewest] = useState<readonly ActivityChange[]>([])
  const [older, setOlder] = useState<readonly ActivityChange[]>([])
  const [next, setNext] = useState<string | null>(null)
  const [error, setError] = useState<string | null>(null)
  const audience = organizationId === null ? undefined : `org:${organizationId}`
  const read = useCallback(
    (before?: string) =>
      replica.activity({ limit: PAGE, ...(audience ? { audience } : {}), ...(before ? { before } : {}) }),
    [replica, audience],
  )
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is asked again when something came.
  useEffect(() => {
    let isCurrent = true
    read().then(
      (page) => {
        if (!isCurrent) return
        setNewest(page.changes)
        setOlder([])
        setNext(page.next)
        setError(null)
      },
      (fault: Error) => isCurrent && setError(fault.message),
    )
    return () => {
      isCurrent = false
    }
  }, [read, lastChangeAt])
  const readMore = () => {
    if (next === null) return
    read(next).then(
      (page) => {
        setOlder((shown) => [...shown, ...page.changes])
        setNext(page.next)
      },
      (fault: Error) => setError(fault.message),
    )
  }
  return { changes: [...newest, ...older], hasMore: next !== null, error, readMore }
}

function subjectOf({ table, key, data, before }: ActivityChange): string | null {
  if (tableName(table) === 'issue') return key.id ?? null
  return data?.issue_id ?? before?.issue_id ?? key.issue_id ?? null
}

const VERBS = { insert: 'added', update: 'changed', delete: 'deleted', truncate: 'emptied' } as const

function Line({ change, issue }: { readonly change: ActivityChange; readonly issue: ReferenceRow | undefined }) {
  const nameOf = useNames()
  const nowMs = useNow(30_000)
  const { operation, table, data, at, user } = change
  const name = tableName(table)
  const fields = Object.keys(data ?? {}).filter((column) => !/(_at|^version)$/.test(column))
  const what = operation === 'update' && name === 'issue' ? fields.map(fieldWord).join(', ') : name.replaceAll('_', ' ')
  const time = new Date(at)
  return (
    <li className="feed-line">
      <Avatar name={user === null ? null : nameOf(user)} />
      <span className="ellipsis">
        <strong>{nameOf(user)}</strong> {VERBS[operation]} {what}{' '}
        {issue && (
          <a href={`#${issue.id}`} title={issue.title}>
            {issue.reference} {issue.title}
          </a>
        )}
      </span>
      <time dateTime={at} title={formatDateTime(time)}>
        {formatAgo(time, nowMs)}
      </time>
    </li>
  )
}
