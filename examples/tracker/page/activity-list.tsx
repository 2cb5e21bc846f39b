import { useLiveQuery } from 'tidemark/react'
import { ACTIVITY, type ActivityRow, activitySentence } from './activity-query.ts'
import { formatAgo, formatDateTime } from './format.ts'
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
              <strong>{event.actor ?? 'Former member'}</strong> {activitySentence(event)}
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
