import type { IssuePriority, IssueState } from '../sync-tables.ts'

export const STATE_WORDS: Readonly<Record<IssueState, string>> = {
  backlog: 'Backlog',
  todo: 'To do',
  in_progress: 'In progress',
  in_review: 'In review',
  done: 'Done',
  cancelled: 'Cancelled',
}

export const PRIORITY_WORDS: Readonly<Record<IssuePriority, string>> = {
  urgent: 'Urgent',
  high: 'High',
  medium: 'Medium',
  low: 'Low',
  none: 'No priority',
}
