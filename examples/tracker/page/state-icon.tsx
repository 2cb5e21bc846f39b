import type { IssuePriority, IssueState } from '../sync-tables.ts'
import { PRIORITY_WORDS, STATE_WORDS } from './issue-words.ts'

/** The filled part of the circle, from 0 to 1. */
const PROGRESS: Readonly<Record<IssueState, number>> = {
  backlog: 0,
  todo: 0,
  in_progress: 0.5,
  in_review: 0.75,
  done: 1,
  cancelled: 1,
}
const RADIUS = 2.6
const LENGTH = 2 * Math.PI * RADIUS

export function StateIcon({ state }: { state: IssueState }) {
  const mark =
    state === 'done' ? 'M4.6 8.2l2.3 2.3 4.5-4.8' : state === 'cancelled' ? 'M5.6 5.6l4.8 4.8m0-4.8l-4.8 4.8' : null
  return (
    <svg className="state-icon" data-state={state} viewBox="0 0 16 16" width="16" height="16" role="img">
      <title>{STATE_WORDS[state]}</title>
      <circle
        cx="8"
        cy="8"
        r="6.2"
        fill={mark ? 'currentColor' : 'none'}
        stroke="currentColor"
        strokeWidth="1.6"
        strokeDasharray={state === 'backlog' ? '2.2 1.9' : undefined}
      />
      {mark ? (
        <path
          d={mark}
          fill="none"
          stroke="var(--surface)"
          strokeWidth="1.7"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      ) : (
        <circle
          cx="8"
          cy="8"
          r={RADIUS}
          fill="none"
          stroke="currentColor"
          strokeWidth={2 * RADIUS}
          strokeDasharray={`${PROGRESS[state] * LENGTH} ${LENGTH}`}
          transform="rotate(-90 8 8)"
        />
      )}
    </svg>
  )
}

const BARS: Readonly<Record<IssuePriority, number>> = { urgent: 3, high: 3, medium: 2, low: 1, none: 0 }

export function PriorityIcon({ priority }: { priority: IssuePriority }) {
  return (
    <svg className="priority-icon" data-priority={priority} viewBox="0 0 16 16" width="16" height="16" role="img">
      <title>{PRIORITY_WORDS[priority]}</title>
      {[0, 1, 2].map((bar) => (
        <rect
          key={bar}
          x={2 + bar * 4.5}
          y={10 - bar * 3.5}
          width="3"
          height={4 + bar * 3.5}
          rx="1"
          fill="currentColor"
          opacity={bar < BARS[priority] ? 1 : 0.22}
        />
      ))}
    </svg>
  )
}
