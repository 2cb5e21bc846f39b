import { Avatar } from './avatar.tsx'
import { formatAgo, formatDateTime } from './format.ts'
import { useLiveQuery } from './use-live-query.ts'
import { useNow } from './use-now.ts'

const COMMENTS = `
  SELECT comment.id, comment.body, comment.created_at, comment.edited_at, membership.display_name AS author
  FROM comment LEFT JOIN membership ON membership.id = comment.author_id
  WHERE comment.issue_id = $1
  ORDER BY comment.created_at, comment.id`

interface CommentRow {
  id: string
  body: string
  created_at: Date
  edited_at: Date | null
  author: string | null
}

export function CommentThread({ issueId }: { issueId: string }) {
  const { rows, error } = useLiveQuery<CommentRow>(COMMENTS, [issueId])
  const nowMs = useNow(30_000)
  if (error !== null) return <p role="alert">The comments cannot be shown: {error}</p>
  if (rows === null) return <p className="thread muted waiting">Reading the comments…</p>
  return (
    <section className="thread" aria-label="Comments">
      <h2>
        Comments <span className="count">{rows.length}</span>
      </h2>
      {rows.length === 0 && <p className="muted">Nobody has said anything yet.</p>}
      <ol>
        {rows.map((comment) => (
          <li key={comment.id} className="comment">
            <Avatar name={comment.author} />
            <div>
              <p className="comment-head">
                <strong>{comment.author ?? 'Former member'}</strong>
                <time dateTime={comment.created_at.toISOString()} title={formatDateTime(comment.created_at)}>
                  {formatAgo(comment.created_at, nowMs)}
                </time>
                {comment.edited_at && <span title={formatDateTime(comment.edited_at)}>edited</span>}
              </p>
              <p>{comment.body}</p>
            </div>
          </li>
        ))}
      </ol>
    </section>
  )
}
