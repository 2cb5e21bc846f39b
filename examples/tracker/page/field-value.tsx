import { useLiveQuery } from 'tidemark/react'
import { type IssuePriority, type IssueState, issuePriority, issueState } from '../sync-tables.ts'
import { Avatar } from './avatar.tsx'
import { Choice } from './choice.tsx'
import { PRIORITY_WORDS, STATE_WORDS } from './issue-words.ts'
import { PriorityIcon, StateIcon } from './state-icon.tsx'
import { ofOrganization, PEOPLE, type PersonRow, PROJECTS, type ProjectRow } from './workspace-query.ts'

/** A column's value as people read it. */
export function FieldValue({ column, value }: { column: string; value: string | null }) {
  const people = useLiveQuery<PersonRow>(PEOPLE).rows
  const projects = useLiveQuery<ProjectRow>(PROJECTS).rows
  if (column === 'assignee_id') {
    const name = people?.find(({ id }) => id === value)?.name ?? (value === null ? null : 'Somebody')
    return (
      <span className="field-value">
        <Avatar name={name} /> {name ?? 'Nobody'}
      </span>
    )
  }
  if (value === null || value === '') return <span className="field-value muted">empty</span>
  if (column === 'state') {
    return (
      <span className="field-value">
        <StateIcon state={value as IssueState} /> {STATE_WORDS[value as IssueState] ?? value}
      </span>
    )
  }
  if (column === 'priority') {
    return (
      <span className="field-value">
        <PriorityIcon priority={value as IssuePriority} /> {PRIORITY_WORDS[value as IssuePriority] ?? value}
      </span>
    )
  }
  if (column === 'project_id') return <span>{projects?.find(({ id }) => id === value)?.name ?? 'A project'}</span>
  return <span className="field-value written">{value}</span>
}

/** Tells whether a user can write another value by hand. */
export const isEditableField = (column: string) =>
  ['title', 'body', 'state', 'priority', 'due_on', 'assignee_id', 'name'].includes(column)

export function FieldEditor(props: {
  column: string
  orgId: string | null
  value: string | null
  onChange: (value: string | null) => void
}) {
  const { column, value, onChange } = props
  const people = ofOrganization(useLiveQuery<PersonRow>(PEOPLE).rows, props.orgId)
  const label = 'Another value'
  switch (column) {
    case 'body':
      return (
        <textarea
          className="text-field"
          aria-label={label}
          rows={4}
          value={value ?? ''}
          onChange={(event) => onChange(event.target.value)}
        />
      )
    case 'state':
      return (
        <Choice label={label} value={value ?? ''} onChange={onChange}>
          {issueState.enumValues.map((state) => (
            <option key={state} value={state}>
              {STATE_WORDS[state]}
            </option>
          ))}
        </Choice>
      )
    case 'priority':
      return (
        <Choice label={label} value={value ?? ''} onChange={onChange}>
          {issuePriority.enumValues.map((priority) => (
            <option key={priority} value={priority}>
              {PRIORITY_WORDS[priority]}
            </option>
          ))}
        </Choice>
      )
    case 'assignee_id':
      return (
        <Choice label={label} value={value ?? ''} onChange={(id) => onChange(id || null)}>
          <option value="">Nobody</option>
          {people.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Choice>
      )
    default:
      return (
        <input
          type={column === 'due_on' ? 'date' : 'text'}
          className="text-field"
          aria-label={label}
          value={value ?? ''}
          onChange={(event) => onChange(event.target.value || (column === 'due_on' ? null : ''))}
        />
      )
  }
}
