import { memo, useEffect, useRef } from 'react'
import { RowMark } from 'tidemark/react'
import { Avatar } from './avatar.tsx'
import { formatAgo, formatDateTime } from './format.ts'
import type { IssueListRow } from './issue-query.ts'
import { LabelChip } from './label-chip.tsx'
import { PriorityIcon, StateIcon } from './state-icon.tsx'

/** One line of the list; it lights up for a moment when its issue changes. */
export const IssueRow = memo(function IssueRow(props: { row: IssueListRow; isSelected: boolean; nowMs: number }) {
  const { row } = props
  const changedAtMs = row.updated_at.getTime()
  const element = useRef<HTMLLIElement>(null)
  const shown = useRef(changedAtMs)
  useEffect(() => {
    if (shown.current === changedAtMs) return
    shown.current = changedAtMs
    if (window.matchMedia('(prefers-reduced-motion: reduce)').matches) return
    element.current?.animate([{ backgroundColor: 'var(--flash)' }, {}], { duration: 1_600, easing: 'ease-out' })
  }, [changedAtMs])

  useEffect(() => {
    if (props.isSelected) element.current?.scrollIntoView({ block: 'nearest' })
  }, [props.isSelected])

  return (
    <li ref={element}>
      <a className="issue-row" href={`#${row.id}`} aria-current={props.isSelected ? 'true' : undefined}>
        <PriorityIcon priority={row.priority} />
        <span className="reference">{row.reference}</span>
        <StateIcon state={row.state} />
        <span className="issue-title">
          <span className="ellipsis">{row.title}</span>
          <RowMark id={row.id} />
        </span>
        <span className="issue-labels">
          {row.labels.map((label) => (
            <LabelChip key={label.name} name={label.name} color={label.color} />
          ))}
        </span>
        <span className="comment-count">{row.comments > 0 && <CommentCount count={row.comments} />}</span>
        <Avatar name={row.assignee} />
        <time className="ago" dateTime={row.updated_at.toISOString()} title={formatDateTime(row.updated_at)}>
          {formatAgo(row.updated_at, props.nowMs)}
        </time>
      </a>
    </li>
  )
})

function CommentCount({ count }: { count: number }) {
  return (
    <>
      <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
        <path
          d="M2 3.5h12v8H7l-3 2.5v-2.5H2z"
          fill="none"
          stroke="currentColor"
          strokeWidth="1.4"
          strokeLinejoin="round"
        />
      </svg>
      <span className="visually-hidden">Comments: </span>
      {count}
    </>
  )
}
