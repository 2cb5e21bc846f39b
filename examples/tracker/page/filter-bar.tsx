import { type ReactNode, useEffect, useRef } from 'react'
import { issueState } from '../schema.ts'
import type { IssueFilter, SortOrder, StateFilter } from './issue-query.ts'
import { STATE_WORDS } from './issue-words.ts'
import { useLiveQuery } from './use-live-query.ts'

const PEOPLE = 'SELECT user_id, min(display_name) AS name FROM membership GROUP BY user_id ORDER BY name'
const LABELS = 'SELECT DISTINCT name FROM label ORDER BY name'

export function FilterBar(props: { filter: IssueFilter; onChange: (part: Partial<IssueFilter>) => void }) {
  const { filter, onChange } = props
  const people = useLiveQuery<{ user_id: string; name: string }>(PEOPLE).rows ?? []
  const labels = useLiveQuery<{ name: string }>(LABELS).rows ?? []
  return (
    <search className="filters">
      <SearchField value={filter.search} onChange={(search) => onChange({ search })} />
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
      <Choice
        label="Assignee"
        value={filter.assignee ?? ''}
        onChange={(value) => onChange({ assignee: value || null })}
      >
        <option value="">Anyone</option>
        <option value="nobody">Nobody</option>
        <hr />
        {people.map((person) => (
          <option key={person.user_id} value={person.user_id}>
            {person.name}
          </option>
        ))}
      </Choice>
      <Choice label="Label" value={filter.label ?? ''} onChange={(value) => onChange({ label: value || null })}>
        <option value="">Any label</option>
        {labels.map(({ name }) => (
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
    </search>
  )
}

function Choice(props: { label: string; value: string; onChange: (value: string) => void; children: ReactNode }) {
  return (
    <select
      className="choice"
      aria-label={props.label}
      title={props.label}
      value={props.value}
      onChange={(event) => props.onChange(event.target.value)}
    >
      {props.children}
    </select>
  )
}

function SearchField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.target instanceof HTMLInputElement) return
      event.preventDefault()
      field.current?.focus()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [])
  return (
    <input
      ref={field}
      type="search"
      className="search-field"
      placeholder="Search issues"
      aria-label="Search issues"
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  )
}
