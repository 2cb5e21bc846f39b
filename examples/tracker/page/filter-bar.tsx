import { type ReactNode, useRef } from 'react'
import { useLiveQuery } from 'tidemark/react'
import { issueState } from '../sync-tables.ts'
import { Choice } from './choice.tsx'
import type { IssueFilter, SortOrder, StateFilter } from './issue-query.ts'
import { STATE_WORDS } from './issue-words.ts'
import { moveInList } from './move-in-list.ts'
import { useKeys } from './use-keys.ts'
import type { View } from './use-view.ts'
import { LABELS, type LabelRow, ofOrganization, PEOPLE, type PersonRow } from './workspace-query.ts'

export function FilterBar(props: {
  filter: IssueFilter
  view: View
  onChange: (part: Partial<IssueFilter>) => void
  children: ReactNode
}) {
  const { filter, onChange } = props
  const people = ofOrganization(useLiveQuery<PersonRow>(PEOPLE).rows, filter.organizationId)
  const labels = ofOrganization(useLiveQuery<LabelRow>(LABELS).rows, filter.organizationId)
  const names = new Map(people.map((person) => [person.user_id, person.name]))
  return (
    <search className="filters">
      <SearchField value={filter.search} onChange={(search) => onChange({ search })} />
      {props.view === 'list' && (
        <Choice label="State" value={filter.state} onChange={(state) => onChange({ state: state as StateFilter })}>
          <option value="open">Open</option>
          <option value="closed">Closed</option>
          <option value="all">All states</option>
          <hr />
          {issueState.enumValues.map((state) => (
            <option key={state} value={state}>
              {STATE_WORDS[state]}
            </option>
          ))}
        </Choice>
      )}
      <Choice
        label="Assignee"
        value={filter.assignee ?? ''}
        onChange={(value) => onChange({ assignee: value || null })}
      >
        <option value="">Anyone</option>
        <option value="nobody">Nobody</option>
        <hr />
        {[...names].map(([user, name]) => (
          <option key={user} value={user}>
            {name}
          </option>
        ))}
      </Choice>
      <Choice label="Label" value={filter.label ?? ''} onChange={(value) => onChange({ label: value || null })}>
        <option value="">Any label</option>
        {[...new Set(labels.map(({ name }) => name))].map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </Choice>
      <Choice label="Order" value={filter.sort} onChange={(sort) => onChange({ sort: sort as SortOrder })}>
        <option value="updated">Last changed</option>
        <option value="created">Newest</option>
        <option value="priority">Priority</option>
      </Choice>
      {props.children}
    </search>
  )
}

function SearchField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const field = useRef<HTMLInputElement>(null)
  useKeys((event) => {
    if (event.key !== '/') return
    event.preventDefault()
    field.current?.focus()
  })
  return (
    <input
      ref={field}
      type="search"
      className="search-field"
      placeholder="Search issues"
      aria-label="Search issues"
      aria-keyshortcuts="/"
      value={value}
      onChange={(event) => onChange(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === 'Escape') event.currentTarget.blur()
        else if (event.key === 'ArrowDown' || event.key === 'Enter') moveInList(1)
        else return
        event.preventDefault()
      }}
    />
  )
}
