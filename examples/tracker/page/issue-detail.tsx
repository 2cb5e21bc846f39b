import type { ReactNode } from 'react'
import type { IssuePriority, IssueState } from '../schema.ts'
import { ActivityList } from './activity-list.tsx'
import { Avatar } from './avatar.tsx'
import { CommentThread } from './comment-thread.tsx'
import { formatDate, formatDateTime } from './format.ts'
import { PRIORITY_WORDS, STATE_WORDS } from './issue-words.ts'
import { LabelChip } from './label-chip.tsx'
import { NoteList } from './note-list.tsx'
import { PriorityIcon, StateIcon } from './state-icon.tsx'
import { useLiveQuery } from './use-live-query.ts'

const ISSUE = `
  SELECT issue.title, issue.body, issue.state, issue.priority, issue.due_on::text AS due_on, issue.created_at,
    issue.updated_at, issue.closed_at, project.key || '-' || issue.number AS reference, project.name AS project,
    project.deleted_at AS archived_at,    organization.name AS organization, assignee.display_name AS assignee, creator.display_name AS creator,
    (SELECT coalesce(json_agg(json_build_object('name', label.name, 'color', label.color) ORDER BY label.name), '[]')
     FROM issue_label JOIN label ON label.id = issue_label.label_id WHERE issue_label.issue_id = issue.id) AS labels
  FROM issue
  JOIN project ON project.id = issue.project_id
  JOIN organization ON organization.id = issue.org_id
  LEFT JOIN membership AS assignee ON assignee.id = issue.assignee_id
  LEFT JOIN membership AS creator ON creator.id = issue.creator_id
  WHERE issue.id = $1`

interface IssueDetailRow {
  title: string
  body: string
  state: IssueState
  priority: IssuePriority
  due_on: string | null
  created_at: Date
  updated_at: Date
  closed_at: Date | null
  reference: string
  project: string
  archived_at: Date | null
  organization: string
  assignee: string | null
  creator: string | null
  labels: { name: string; color: string }[]
}

export function IssueDetail({ id, onClose }: { id: string; onClose: () => void }) {
  const { rows, error } = useLiveQuery<IssueDetailRow>(ISSUE, [id])
  const issue = rows?.[0]
  return (
    <aside className="detail" aria-label="Issue">
      <header className="detail-head">
        <span className="reference">{issue?.reference}</span>
        <span className="muted ellipsis">{issue && `${issue.organization} · ${issue.project}`}</span>
        <button type="button" className="icon-button" aria-label="Close" title="Close (Esc)" onClick={onClose}>
          <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
            <path d="M3 3l10 10M13 3L3 13" stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" />
          </svg>
        </button>
      </header>
      {error !== null && (
        <p className="blank" role="alert">
          The issue cannot be shown: {error}
        </p>
      )}
      {rows === null && error === null && <p className="blank waiting">Reading the replica…</p>}
      {rows !== null && !issue && <p className="blank">This issue does not exist, or you may not see it.</p>}
      {issue?.archived_at && (
        <p className="strip">
          {issue.project} was archived on {formatDate(issue.archived_at)}. What was written stays here to read.
        </p>
      )}
      {issue && (
        <div className="detail-scroll">
          <article>
            <h1>{issue.title}</h1>
            <IssueFacts issue={issue} />
            {issue.body.split(/\n{2,}/).map((paragraph) => (
              <p key={paragraph}>{paragraph}</p>
            ))}
          </article>
          <NoteList issueId={id} />
          <ActivityList issueId={id} />
          <CommentThread issueId={id} />
        </div>
      )}
    </aside>
  )
}

function IssueFacts({ issue }: { issue: IssueDetailRow }) {
  return (
    <dl className="facts">
      <Fact name="State">
        <StateIcon state={issue.state} /> {STATE_WORDS[issue.state]}
      </Fact>
      <Fact name="Priority">
        <PriorityIcon priority={issue.priority} /> {PRIORITY_WORDS[issue.priority]}
      </Fact>
      <Fact name="Assignee">
        <Avatar name={issue.assignee} /> {issue.assignee ?? 'Nobody'}
      </Fact>
      <Fact name="Created">
        {issue.creator}, {formatDate(issue.created_at)}
      </Fact>
      <Fact name="Changed">{formatDateTime(issue.updated_at)}</Fact>
      {issue.due_on && <Fact name="Due">{formatDate(new Date(`${issue.due_on}T12:00:00`))}</Fact>}
      {issue.closed_at && <Fact name="Closed">{formatDate(issue.closed_at)}</Fact>}
      {issue.labels.length > 0 && (
        <Fact name="Labels">
          {issue.labels.map((label) => (
            <LabelChip key={label.name} name={label.name} color={label.color} />
          ))}
        </Fact>
      )}
    </dl>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
