import { useLiveQuery } from 'tidemark/react'
import type { IssuePriority, IssueState } from '../sync-tables.ts'
import { ACTIVITY, type ActivityRow } from './activity-query.ts'
import { formatAgo, formatDateTime } from './format.ts'
import { PRIORITY_WORDS, STATE_WORDS } from './issue-words.ts'
import { useNow } from './use-now.ts'

export function ActivityList({ issueId }: { issueId: string }) {
  const { rows, error } = useLiveQuery<ActivityRow>(ACTIVITY, [issueId])
  const nowMs = useNow(30_000)
  if (error !== null) return <p role="alert">The activity cannot be shown: {error.message}</p>
  if (rows === null || rows.length === 0) return null
  return (
    <section className="activity" aria-label="Activity">
      <h2>Activity</h2>
      <ol>
        {rows.map((event) => (
          <li key={event.id}>
            <span>
              <strong>{event.actor ?? 'Former member'}</strong> {sentence(event)}
            </span>
            <time dateTime={event.created_at.toISOString()} title={formatDateTime(event.created_at)}>
              {formatAgo(event.created_at, nowMs)}
            </time>
          </li>
        ))}
      </ol>
    </section>
  )
}

function sentence({ kind, value, actor }: ActivityRow): string {
  switch (kind) {
    case 'state':
      return `moved it to ${STATE_WORDS[value as IssueState] ?? value}`
    case 'priority':
      return `set the priority to ${PRIORITY_WORDS[value as IssuePriority] ?? value}`
    case 'assignee':
      return value === actor ? 'took it' : `assigned it to ${value}`
  }
}
