import { action, refuse } from 'tidemark/db'
import * as z from 'zod/mini'
import { openState } from './create-issue.ts'
import { isClosed, issueOf } from './look-up.ts'

const closeArgs = z.object({
  issueId: z.uuid(),
  state: z.enum(['done', 'cancelled']),
  /** The rule for open subtasks: they are closed with the issue, or keep it open. */
  subtasks: z.enum(['close', 'refuse']),
})

/**
 * Keeps an issue from being closed while a subtask is open, even one opened elsewhere meanwhile: the server runs this
 * again.
 */
export const closeIssue = action(closeArgs, async ({ sql, now }, { issueId, state, subtasks }) => {
  await issueOf(sql, issueId)
  const open = await sql`
    SELECT id FROM issue WHERE parent_id = ${issueId} AND state NOT IN ('done', 'cancelled') ORDER BY number`
  if (open.length > 0 && subtasks === 'refuse') {
    const count = open.length === 1 ? 'A subtask is' : `${open.length} subtasks are`
    refuse('open-subtasks', `${count} still open.`, { subtasks: open.map((row) => row.id ?? null) })
  }
  // A subtask that another opens from here on is not closed unasked: a trigger refuses the whole then.
  const closed = [issueId, ...(subtasks === 'close' ? open.map((row) => row.id ?? null) : [])]
  await sql`
    UPDATE issue SET state = ${state}, closed_at = coalesce(closed_at, ${now})
    WHERE id IN (SELECT value::uuid FROM json_array_elements_text(${JSON.stringify(closed)}::text::json) AS value)`
})

/** Reopens a subtask only under an open issue, because an open subtask keeps its issue open. */
export const reopenIssue = action(
  z.object({ issueId: z.uuid(), state: openState }),
  async ({ sql }, { issueId, state }) => {
    const issue = await issueOf(sql, issueId)
    if (issue.parent_id) {
      const parent = await issueOf(sql, issue.parent_id)
      if (isClosed(parent.state)) refuse('parent-closed', 'The issue it belongs to is closed: reopen that first.')
    }
    await sql`UPDATE issue SET state = ${state}, closed_at = NULL WHERE id = ${issueId}`
  },
)
