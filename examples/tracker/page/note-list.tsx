import { useState } from 'react'
import { RowMark, useLiveQuery } from 'tidemark/react'
import { addNote, deleteNote, editNote } from './comment-writes.ts'
import { formatAgo, formatDateTime } from './format.ts'
import { TextComposer } from './text-composer.tsx'
import { useNow } from './use-now.ts'
import { useWrite } from './use-write.ts'

/** Needs no condition on the author: nobody else's notes are ever in this replica. */
const NOTES = 'SELECT id, body, created_at FROM note WHERE issue_id = $1 ORDER BY created_at, id'

interface NoteRow {
  id: string
  body: string
  created_at: Date
}

export function NoteList({ issueId, userId }: { issueId: string; userId: string }) {
  const { rows, error } = useLiveQuery<NoteRow>(NOTES, [issueId])
  const [isWriting, setIsWriting] = useState(false)
  const nowMs = useNow(30_000)
  const write = useWrite()
  const add = async (body: string) => {
    const isWritten = await write((replica) => addNote(replica, userId, issueId, body))
    if (isWritten) setIsWriting(false)
    return isWritten
  }
  if (error !== null) return <p role="alert">Your notes cannot be shown: {error.message}</p>
  if (rows === null) return null
  return (
    <section className="notes" aria-label="Your notes">
      <h2>
        <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true">
          <rect x="3" y="7" width="10" height="7" rx="1.6" fill="currentColor" />
          <path d="M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2" fill="none" stroke="currentColor" strokeWidth="1.5" />
        </svg>
        Your notes <span className="count">only you can see them</span>
        {!isWriting && (
          <button type="button" className="link" onClick={() => setIsWriting(true)}>
            Add a note
          </button>
        )}
      </h2>
      <ul>
        {rows.map((note) => (
          <Note key={note.id} note={note} nowMs={nowMs} />
        ))}
      </ul>
      {isWriting && (
        <TextComposer
          label="Note to yourself"
          submit="Keep"
          initial=""
          onSubmit={add}
          onCancel={() => setIsWriting(false)}
        />
      )}
    </section>
  )
}

function Note({ note, nowMs }: { note: NoteRow; nowMs: number }) {
  const [isEditing, setIsEditing] = useState(false)
  const write = useWrite()
  const save = async (body: string) => {
    const isWritten = await write((replica) => editNote(replica, note.id, body))
    if (isWritten) setIsEditing(false)
    return isWritten
  }
  if (isEditing) {
    return (
      <li>
        <TextComposer
          label="Edit the note"
          submit="Save"
          initial={note.body}
          onSubmit={save}
          onCancel={() => setIsEditing(false)}
        />
      </li>
    )
  }
  return (
    <li className="note">
      <span className="written">{note.body}</span>{' '}
      <time dateTime={note.created_at.toISOString()} title={formatDateTime(note.created_at)}>
        {formatAgo(note.created_at, nowMs)}
      </time>{' '}
      <RowMark id={note.id} />
      <span className="own-actions">
        <button type="button" className="link" onClick={() => setIsEditing(true)}>
          Edit
        </button>
        <button type="button" className="link" onClick={() => void write((replica) => deleteNote(replica, note.id))}>
          Delete
        </button>
      </span>
    </li>
  )
}
