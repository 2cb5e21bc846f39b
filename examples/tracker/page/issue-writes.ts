import type { IssuePriority, IssueState } from '../sync-tables.ts'
import type { TrackerReplica } from './tracker-replica.ts'

export type EditableColumn = 'title' | 'body' | 'priority' | 'due_on'

const EDITS: Readonly<Record<EditableColumn, string>> = {
  title: 'UPDATE issue SET title = $2 WHERE id = $1',
  body: 'UPDATE issue SET body = $2 WHERE id = $1',
  priority: 'UPDATE issue SET priority = $2 WHERE id = $1',
  due_on: 'UPDATE issue SET due_on = $2 WHERE id = $1',
}

/** Writes plain SQL: only what differs from before travels, with the value that was seen. */
export async function editIssue(
  { db }: TrackerReplica,
  issueId: string,
  column: EditableColumn,
  value: string | null,
): Promise<void> {
  await db.query(EDITS[column], [issueId, value])
}

export async function deleteIssue({ db }: TrackerReplica, issueId: string): Promise<void> {
  await db.query('DELETE FROM issue WHERE id = $1', [issueId])
}

export async function setLabel(
  { db }: TrackerReplica,
  issueId: string,
  labelId: string,
  isSet: boolean,
): Promise<void> {
  const text = isSet
    ? `INSERT INTO issue_label (org_id, issue_id, label_id) SELECT org_id, id, $2 FROM issue WHERE id = $1
       ON CONFLICT DO NOTHING`
    : 'DELETE FROM issue_label WHERE issue_id = $1 AND label_id = $2'
  await db.query(text, [issueId, labelId])
}

export const isClosed = (state: IssueState) => state === 'done' || state === 'cancelled'

/**
 * Changes the state: by a patch between open states, by an action where subtasks have a say. Rejects with its refusal.
 */
export async function changeState(
  replica: TrackerReplica,
  issue: { readonly id: string; readonly state: IssueState },
  state: IssueState,
  subtasks: 'close' | 'refuse' = 'refuse',
): Promise<void> {
  if (state === issue.state) return
  if (state === 'done' || state === 'cancelled') {
    await replica.actions.closeIssue({ issueId: issue.id, state, subtasks })
  } else if (isClosed(issue.state)) {
    await replica.actions.reopenIssue({ issueId: issue.id, state })
  } else {
    await replica.db.query('UPDATE issue SET state = $2 WHERE id = $1', [issue.id, state])
  }
}

export interface NewIssue {
  readonly projectId: string
  readonly title: string
  readonly body: string
  readonly state: 'backlog' | 'todo' | 'in_progress' | 'in_review'
  readonly priority: IssuePriority
  readonly assigneeId: string | null
  readonly parentId: string | null
}
