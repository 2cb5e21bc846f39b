import { action, refuse } from 'tidemark/db'
import * as z from 'zod/mini'
import { issueOf, nextNumber, openProject } from './look-up.ts'

/** Moves an issue into another project of its organisation, under that one's next numbers; its subtasks go with it. */
export const moveIssue = action(
  z.object({ issueId: z.uuid(), projectId: z.uuid() }),
  async ({ sql }, { issueId, projectId }) => {
    const issue = await issueOf(sql, issueId)
    const project = await openProject(sql, projectId)
    if (project.org_id !== issue.org_id) refuse('other-organisation', 'Issues stay in their organisation.')
    if (issue.project_id === projectId) return
    const moved = await sql`
      SELECT id FROM issue WHERE id = ${issueId} OR parent_id = ${issueId} ORDER BY parent_id NULLS FIRST, number`
    let number = await nextNumber(sql, projectId)
    for (const row of moved) {
      await sql`UPDATE issue SET project_id = ${projectId}, number = ${number} WHERE id = ${row.id ?? null}`
      number += 1
    }
  },
)
