import { useEffect, useRef, useState } from 'react'
import { useLiveQuery } from 'tidemark/react'
import type { IssueDetailRow } from './issue-detail-query.ts'
import { setLabel } from './issue-writes.ts'
import { LabelChip } from './label-chip.tsx'
import { useWrite } from './use-write.ts'
import { LABELS, type LabelRow, ofOrganization } from './workspace-query.ts'

/** The labels of an issue, and the organisation's to choose from. */
export function LabelPicker({ issue }: { issue: IssueDetailRow }) {
  const [isOpen, setIsOpen] = useState(false)
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!isOpen) return
    const onPointerDown = (event: PointerEvent) => {
      if (event.target instanceof Node && !place.current?.contains(event.target)) setIsOpen(false)
    }
    window.addEventListener('pointerdown', onPointerDown)
    return () => window.removeEventListener('pointerdown', onPointerDown)
  }, [isOpen])
  return (
    <div className="label-picker" ref={place}>
      {issue.labels.map((label) => (
        <LabelChip key={label.id} name={label.name} color={label.color} />
      ))}
      <button
        type="button"
        className="link"
        aria-expanded={isOpen}
        aria-haspopup="true"
        onClick={() => setIsOpen(!isOpen)}
      >
        {issue.labels.length === 0 ? 'Add a label' : 'Change'}
      </button>
      {isOpen && <LabelMenu issue={issue} onClose={() => setIsOpen(false)} />}
    </div>
  )
}

function LabelMenu({ issue, onClose }: { issue: IssueDetailRow; onClose: () => void }) {
  const write = useWrite()
  const labels = ofOrganization(useLiveQuery<LabelRow>(LABELS).rows, issue.org_id)
  const chosen = new Set(issue.labels.map(({ id }) => id))
  return (
    <fieldset
      className="label-menu"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        event.preventDefault()
        onClose()
      }}
    >
      <legend className="visually-hidden">Labels</legend>
      {labels.map(({ id, name, color }, index) => (
        <label key={id}>
          <input
            type="checkbox"
            // biome-ignore lint/a11y/noAutofocus: it was opened to choose.
            autoFocus={index === 0}
            checked={chosen.has(id)}
            onChange={(event) => {
              const isSet = event.target.checked
              void write((replica) => setLabel(replica, issue.id, id, isSet))
            }}
          />
          <LabelChip name={name} color={color} />
        </label>
      ))}
    </fieldset>
  )
}
