import { action } from 'tidemark/db'
import * as z from 'zod/mini'
import { checkAssignee, issueOf } from './look-up.ts'

/**
 * Assigns an issue to a member of its organisation, or to nobody. The server adds a rule of its own: see
 * `server-actions.ts`.
 */
export const assignIssue = action(
  z.object({ issueId: z.uuid(), assigneeId: z.nullable(z.uuid()) }),
  async ({ sql }, { issueId, assigneeId }) => {
    const issue = await issueOf(sql, issueId)
    if (assigneeId !== null) await checkAssignee(sql, issue.org_id ?? null, assigneeId)
    await sql`UPDATE issue SET assignee_id = ${assigneeId} WHERE id = ${issueId}`
  },
)
