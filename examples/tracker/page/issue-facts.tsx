import { useLiveQuery } from 'tidemark/react'
import { type IssuePriority, type IssueState, issuePriority, issueState } from '../sync-tables.ts'
import { Avatar } from './avatar.tsx'
import { Choice } from './choice.tsx'
import { Fact } from './fact.tsx'
import { formatDate, formatDateTime } from './format.ts'
import type { IssueDetailRow } from './issue-detail-query.ts'
import { PRIORITY_WORDS, STATE_WORDS } from './issue-words.ts'
import { editIssue } from './issue-writes.ts'
import { LabelPicker } from './label-picker.tsx'
import { PriorityIcon, StateIcon } from './state-icon.tsx'
import { useChangeState } from './use-change-state.ts'
import { useWrite } from './use-write.ts'
import { ofOrganization, PEOPLE, type PersonRow, PROJECTS, type ProjectRow } from './workspace-query.ts'

/** Shows the fields of an issue besides its text; each can be changed in place. */
export function IssueFacts({ issue }: { issue: IssueDetailRow }) {
  const write = useWrite()
  const changeState = useChangeState()
  return (
    <dl className="facts">
      <Fact name="State">
        <StateIcon state={issue.state} />
        <Choice
          isQuiet
          label="Change state"
          value={issue.state}
          onChange={(state) => void changeState(issue, state as IssueState)}
        >
          {issueState.enumValues.map((state) => (
            <option key={state} value={state}>
              {STATE_WORDS[state]}
            </option>
          ))}
        </Choice>
      </Fact>
      <Fact name="Priority">
        <PriorityIcon priority={issue.priority} />
        <Choice
          isQuiet
          label="Change priority"
          value={issue.priority}
          onChange={(priority) => void write((replica) => editIssue(replica, issue.id, 'priority', priority))}
        >
          {issuePriority.enumValues.map((priority: IssuePriority) => (
            <option key={priority} value={priority}>
              {PRIORITY_WORDS[priority]}
            </option>
          ))}
        </Choice>
      </Fact>
      <Fact name="Assignee">
        <Avatar name={issue.assignee} />
        <AssigneeChoice issue={issue} />
      </Fact>
      <Fact name="Due">
        <input
          type="date"
          className="choice quiet"
          aria-label="Due date"
          value={issue.due_on ?? ''}
          onChange={(event) => {
            const dueOn = event.target.value || null
            void write((replica) => editIssue(replica, issue.id, 'due_on', dueOn))
          }}
        />
      </Fact>
      <Fact name="Labels">
        <LabelPicker issue={issue} />
      </Fact>
      <Fact name="Project">
        <ProjectChoice issue={issue} />
      </Fact>
      <Fact name="Created">
        {issue.creator}, {formatDate(issue.created_at)}
      </Fact>
      <Fact name="Changed">{formatDateTime(issue.updated_at)}</Fact>
      {issue.closed_at && <Fact name="Closed">{formatDate(issue.closed_at)}</Fact>}
    </dl>
  )
}

function AssigneeChoice({ issue }: { issue: IssueDetailRow }) {
  const write = useWrite()
  const people = ofOrganization(useLiveQuery<PersonRow>(PEOPLE).rows, issue.org_id)
  const assign = (assigneeId: string | null) =>
    void write((replica) => replica.actions.assignIssue({ issueId: issue.id, assigneeId }))
  return (
    <Choice isQuiet label="Change assignee" value={issue.assignee_id ?? ''} onChange={(value) => assign(value || null)}>
      <option value="">Nobody</option>
      <hr />
      {people.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Choice>
  )
}

function ProjectChoice({ issue }: { issue: IssueDetailRow }) {
  const write = useWrite()
  const projects = ofOrganization(useLiveQuery<ProjectRow>(PROJECTS).rows, issue.org_id)
  const fitting = projects.filter(({ id, archived_at }) => archived_at === null || id === issue.project_id)
  return (
    <Choice
      isQuiet
      label="Move to project"
      value={issue.project_id}
      onChange={(projectId) => void write((replica) => replica.actions.moveIssue({ issueId: issue.id, projectId }))}
    >
      {fitting.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Choice>
  )
}
