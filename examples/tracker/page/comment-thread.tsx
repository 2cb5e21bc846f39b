import { useRef, useState } from 'react'
import { RowMark, useLiveQuery } from 'tidemark/react'
import { Avatar } from './avatar.tsx'
import { deleteComment, editComment } from './comment-writes.ts'
import { formatAgo, formatDateTime } from './format.ts'
import { TextComposer } from './text-composer.tsx'
import { useKeys } from './use-keys.ts'
import { useNow } from './use-now.ts'
import { useWrite } from './use-write.ts'

const COMMENTS = `
  SELECT comment.id, comment.body, comment.created_at, comment.edited_at, membership.display_name AS author,
    membership.user_id AS author_user_id
  FROM comment LEFT JOIN membership ON membership.id = comment.author_id
  WHERE comment.issue_id = $1
  ORDER BY comment.created_at, comment.id`

interface CommentRow {
  id: string
  body: string
  created_at: Date
  edited_at: Date | null
  author: string | null
  author_user_id: string | null
}

export function CommentThread({ issueId, userId }: { issueId: string; userId: string }) {
  const { rows, error } = useLiveQuery<CommentRow>(COMMENTS, [issueId])
  const nowMs = useNow(30_000)
  const write = useWrite()
  const field = useRef<HTMLTextAreaElement>(null)
  useKeys((event) => {
    if (event.key !== 'm') return
    event.preventDefault()
    field.current?.focus()
  })
  if (error !== null) return <p role="alert">The comments cannot be shown: {error.message}</p>
  if (rows === null) return <p className="thread muted waiting">Reading the comments…</p>
  return (
    <section className="thread" aria-label="Comments">
      <h2>
        Comments <span className="count">{rows.length}</span>
      </h2>
      {rows.length === 0 && <p className="muted">Nobody has said anything yet.</p>}
      <ol>
        {rows.map((comment) => (
          <Comment key={comment.id} comment={comment} nowMs={nowMs} isOwn={comment.author_user_id === userId} />
        ))}
      </ol>
      <TextComposer
        label="Write a comment"
        submit="Comment"
        field={field}
        onSubmit={(body) => write((replica) => replica.actions.addComment({ issueId, body }))}
      />
    </section>
  )
}

function Comment({ comment, nowMs, isOwn }: { comment: CommentRow; nowMs: number; isOwn: boolean }) {
  const [isEditing, setIsEditing] = useState(false)
  const write = useWrite()
  const save = async (body: string) => {
    const isWritten = await write((replica) => editComment(replica, comment.id, body))
    if (isWritten) setIsEditing(false)
    return isWritten
  }
  return (
    <li className="comment">
      <Avatar name={comment.author} />
      <div>
        <p className="comment-head">
          <strong>{comment.author ?? 'Former member'}</strong>
          <time dateTime={comment.created_at.toISOString()} title={formatDateTime(comment.created_at)}>
            {formatAgo(comment.created_at, nowMs)}
          </time>
          {comment.edited_at && <span title={formatDateTime(comment.edited_at)}>edited</span>}
          <RowMark id={comment.id} />
          {isOwn && !isEditing && (
            <span className="own-actions">
              <button type="button" className="link" onClick={() => setIsEditing(true)}>
                Edit
              </button>
              <button
                type="button"
                className="link"
                onClick={() => void write((replica) => deleteComment(replica, comment.id))}
              >
                Delete
              </button>
            </span>
          )}
        </p>
        {isEditing ? (
          <TextComposer
            label="Edit the comment"
            submit="Save"
            initial={comment.body}
            onSubmit={save}
            onCancel={() => setIsEditing(false)}
          />
        ) : (
          <p className="written">{comment.body}</p>
        )}
      </div>
    </li>
  )
}
