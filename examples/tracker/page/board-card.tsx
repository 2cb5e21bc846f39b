import { type KeyboardEvent, type MouseEvent, memo, type PointerEvent } from 'react'
import { RowMark } from 'tidemark/react'
import { Avatar } from './avatar.tsx'
import type { BoardRow } from './board-query.ts'
import { LabelChip } from './label-chip.tsx'
import { PriorityIcon } from './state-icon.tsx'
import type { Drag } from './use-board-drag.ts'

export const BoardCard = memo(function BoardCard(props: {
  row: BoardRow
  isSelected: boolean
  drag: Drag | null
  onPointerDown: (event: PointerEvent, card: BoardRow) => void
  onKeyDown: (event: KeyboardEvent<HTMLElement>, card: BoardRow) => void
  swallowClick: (event: MouseEvent) => void
}) {
  const { row, drag } = props
  const place = drag?.place
  return (
    <a
      className="board-card"
      href={`#${row.id}`}
      draggable={false}
      aria-current={props.isSelected ? 'true' : undefined}
      aria-keyshortcuts="Space"
      data-held={drag === null ? undefined : drag.place === null ? 'keys' : 'pointer'}
      style={place ?? undefined}
      onPointerDown={(event) => props.onPointerDown(event, row)}
      onKeyDown={(event) => props.onKeyDown(event, row)}
      onClick={props.swallowClick}
    >
      <span className="board-card-head">
        <PriorityIcon priority={row.priority} />
        <span className="reference">{row.reference}</span>
        <RowMark id={row.id} />
        <Avatar name={row.assignee} />
      </span>
      <span className="issue-title">{row.title}</span>
      {row.labels.length > 0 && (
        <span className="issue-labels">
          {row.labels.map((label) => (
            <LabelChip key={label.name} name={label.name} color={label.color} />
          ))}
        </span>
      )}
    </a>
  )
})
