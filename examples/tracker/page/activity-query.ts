import type { ActivityKind } from '../sync-tables.ts'

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
