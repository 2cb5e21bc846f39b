import { action } from 'tidemark/db'
import { z } from 'zod'
import { checkAssignee, issueOf } from './look-up.ts'

/** To a member of its organisation, or to nobody. The server has its own word in this: see `worker.ts`. */
export const assignIssue = action(
  z.object({ issueId: z.uuid(), assigneeId: z.uuid().nullable() }),
  async ({ sql }, { issueId, assigneeId }) => {
    const issue = await issueOf(sql, issueId)
    if (assigneeId !== null) await checkAssignee(sql, issue.org_id ?? null, assigneeId)
    await sql`UPDATE issue SET assignee_id = ${assigneeId} WHERE id = ${issueId}`
  },
)
