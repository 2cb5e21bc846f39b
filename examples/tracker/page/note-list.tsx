import { formatAgo, formatDateTime } from './format.ts'
import { useLiveQuery } from './use-live-query.ts'
import { useNow } from './use-now.ts'

/** Without a condition on its author: nobody else's notes are ever in this replica. */
const NOTES = 'SELECT id, body, created_at FROM note WHERE issue_id = $1 ORDER BY created_at, id'

interface NoteRow {
  id: string
  body: string
  created_at: Date
}

export function NoteList({ issueId }: { issueId: string }) {
  const { rows, error } = useLiveQuery<NoteRow>(NOTES, [issueId])
  const nowMs = useNow(30_000)
  if (error !== null) return <p role="alert">Your notes cannot be shown: {error}</p>
  if (rows === null || rows.length === 0) return null
  return (
    <section className="notes" aria-label="Your notes">
      <h2>
        <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true">
          <rect x="3" y="7" width="10" height="7" rx="1.6" fill="currentColor" />
          <path d="M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2" fill="none" stroke="currentColor" strokeWidth="1.5" />
        </svg>
        Your notes <span className="count">only you can see them</span>
      </h2>
      <ul>
        {rows.map((note) => (
          <li key={note.id}>
            {note.body}{' '}
            <time dateTime={note.created_at.toISOString()} title={formatDateTime(note.created_at)}>
              {formatAgo(note.created_at, nowMs)}
            </time>
          </li>
        ))}
      </ul>
    </section>
  )
}
