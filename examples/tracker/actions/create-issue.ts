import { action, refuse } from 'tidemark/db'
import * as z from 'zod/mini'
import { issuePriority } from '../sync-tables.ts'
import { checkAssignee, isClosed, issueOf, nextNumber, openProject, ownMembership } from './look-up.ts'

export const openState = z.enum(['backlog', 'todo', 'in_progress', 'in_review'])

const args = z.object({
  projectId: z.uuid(),
  title: z.string().check(z.trim(), z.minLength(1), z.maxLength(300)),
  body: z.string().check(z.maxLength(20_000)),
  state: openState,
  priority: z.enum(issuePriority.enumValues),
  assigneeId: z.nullable(z.uuid()),
  /** The issue that it is a subtask of. */
  parentId: z.nullable(z.uuid()),
})

/** Creates an issue with the next number of its project; the server may give it another one. */
export const createIssue = action(args, async (context, { projectId, title, body, ...rest }) => {
  const { sql, id, now } = context
  const { org_id: orgId = null } = await openProject(sql, projectId)
  const creator = await ownMembership(context, orgId)
  if (rest.assigneeId !== null) await checkAssignee(sql, orgId, rest.assigneeId)
  if (rest.parentId !== null) {
    const parent = await issueOf(sql, rest.parentId)
    if (parent.parent_id !== null) refuse('one-level', 'A subtask has no subtasks of its own.')
    if (isClosed(parent.state)) refuse('parent-closed', 'The issue is closed: reopen it first.')
  }
  const number = await nextNumber(sql, projectId)
  await sql`
    INSERT INTO issue (id, org_id, project_id, parent_id, number, title, body, state, priority, assignee_id, creator_id,
      created_at, updated_at)
    VALUES (${id('issue')}, ${orgId}, ${projectId}, ${rest.parentId}, ${number}, ${title}, ${body}, ${rest.state},
      ${rest.priority}, ${rest.assigneeId}, ${creator}, ${now}, ${now})`
})
