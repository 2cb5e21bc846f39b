import type { ActivityKind, IssuePriority, IssueState } from '../sync-tables.ts'
import { PRIORITY_WORDS, STATE_WORDS } from './issue-words.ts'

/** Reads the id as text, because a serial key can pass what a number holds exactly. */
export const ACTIVITY = `
  SELECT activity.id::text AS id, activity.kind, activity.value, activity.created_at, membership.display_name AS actor
  FROM activity LEFT JOIN membership ON membership.id = activity.actor_id
  WHERE activity.issue_id = $1
  ORDER BY activity.id`

export interface ActivityRow {
  id: string
  kind: ActivityKind
  value: string
  created_at: Date
  actor: string | null
}

/** Words what was done, to follow the name of who did it. */
export function activitySentence({ kind, value, actor }: ActivityRow): string {
  switch (kind) {
    case 'state':
      return `moved it to ${STATE_WORDS[value as IssueState] ?? value}`
    case 'priority':
      return `set the priority to ${PRIORITY_WORDS[value as IssuePriority] ?? value}`
    case 'assignee':
      return value === actor ? 'took it' : `assigned it to ${value}`
  }
}
