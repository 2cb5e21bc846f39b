import { useState } from 'react'
import { RowMark, useLiveQuery } from 'tidemark/react'
import { ActivityList } from './activity-list.tsx'
import { CommentThread } from './comment-thread.tsx'
import { EditableText } from './editable-text.tsx'
import { formatDate } from './format.ts'
import { ISSUE, type IssueDetailRow } from './issue-detail-query.ts'
import { IssueFacts } from './issue-facts.tsx'
import { IssueHistory } from './issue-history.tsx'
import { deleteIssue, editIssue } from './issue-writes.ts'
import { NoteList } from './note-list.tsx'
import { SubtaskList } from './subtask-list.tsx'
import { useToast } from './toast.tsx'
import { useKeys } from './use-keys.ts'
import type { UndoActions } from './use-undo.ts'
import { useWrite } from './use-write.ts'

interface IssueDetailProps {
  readonly id: string
  readonly userId: string
  readonly undo: UndoActions
  readonly onClose: () => void
}

export function IssueDetail(props: IssueDetailProps) {
  const { rows, error } = useLiveQuery<IssueDetailRow>(ISSUE, [props.id, props.userId])
  const issue = rows?.[0]
  return (
    <aside className="detail" aria-label="Issue">
      <header className="detail-head">
        <span className="reference">{issue?.reference}</span>
        <RowMark id={props.id} />
        <span className="muted ellipsis">{issue && `${issue.organization} · ${issue.project}`}</span>
        {issue?.is_deletable && <DeleteButton issue={issue} {...props} />}
        <button type="button" className="icon-button" aria-label="Close" title="Close (Esc)" onClick={props.onClose}>
          <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
            <path d="M3 3l10 10M13 3L3 13" stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" />
          </svg>
        </button>
      </header>
      {error !== null && (
        <p className="blank" role="alert">
          The issue cannot be shown: {error.message}
        </p>
      )}
      {rows === null && error === null && <p className="blank waiting">Reading the replica…</p>}
      {rows !== null && !issue && (
        <div className="detail-scroll">
          <p className="blank">This issue does not exist, or you may not see it.</p>
          <IssueHistory issueId={props.id} seen="" isDeleted />
        </div>
      )}
      {issue?.archived_at && (
        <p className="strip">
          {issue.project} was archived on {formatDate(issue.archived_at)}. What was written stays here to read.
        </p>
      )}
      {issue && (
        <div className="detail-scroll">
          <article>
            {issue.parent_id && (
              <a className="parent-link ellipsis" href={`#${issue.parent_id}`}>
                Part of <span className="reference">{issue.parent_reference}</span> {issue.parent}
              </a>
            )}
            <IssueText issue={issue} />
          </article>
          <SubtaskList issue={issue} />
          <NoteList issueId={issue.id} userId={props.userId} />
          <ActivityList issueId={issue.id} />
          <IssueHistory issueId={issue.id} seen={issue.updated_at.toISOString()} />
          <CommentThread issueId={issue.id} userId={props.userId} />
        </div>
      )}
    </aside>
  )
}

function IssueText({ issue }: { issue: IssueDetailRow }) {
  const [editing, setEditing] = useState<'title' | 'body' | null>(null)
  const write = useWrite()
  useKeys((event) => {
    if (event.key !== 'e') return
    event.preventDefault()
    setEditing('title')
  })
  const edit = (column: 'title' | 'body') => ({
    value: issue[column],
    isEditing: editing === column,
    onEdit: (isEditing: boolean) => setEditing(isEditing ? column : null),
    onSave: (text: string) => write((replica) => editIssue(replica, issue.id, column, text)),
  })
  return (
    <>
      <EditableText label="Title" {...edit('title')}>
        <h1>{issue.title}</h1>
      </EditableText>
      <IssueFacts issue={issue} />
      <EditableText label="Description" isMultiline {...edit('body')}>
        {issue.body === '' ? (
          <p className="muted">Describe it…</p>
        ) : (
          <div className="body-text">
            {issue.body.split(/\n{2,}/).map((paragraph, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: paragraphs have no other identity.
              <p key={index} className="written">
                {paragraph}
              </p>
            ))}
          </div>
        )}
      </EditableText>
    </>
  )
}

function DeleteButton({ issue, undo, onClose }: IssueDetailProps & { issue: IssueDetailRow }) {
  const write = useWrite()
  const toast = useToast()
  const remove = async () => {
    if (!(await write((replica) => deleteIssue(replica, issue.id)))) return
    onClose()
    toast({ text: `${issue.reference} is deleted.`, action: { label: 'Undo', onClick: undo.undo } })
  }
  return (
    <button
      type="button"
      className="icon-button"
      aria-label="Delete issue"
      title="Delete"
      onClick={() => void remove()}
    >
      <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
        <path
          d="M2.5 4.5h11M6.5 4V2.5h3V4M4 4.5l.7 9h6.6l.7-9M6.8 7v4M9.2 7v4"
          fill="none"
          stroke="currentColor"
          strokeWidth="1.4"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      </svg>
    </button>
  )
}
