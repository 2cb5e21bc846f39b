import { type ActionContext, refuse } from 'tidemark/db'

type Sql = ActionContext['sql']
type Row = Record<string, string | null>

/** Returns the issue, if it is visible here. Refuses with `no-issue`. */
export async function issueOf(sql: Sql, issueId: string): Promise<Row> {
  const [issue] = await sql`SELECT org_id, project_id, parent_id, state FROM issue WHERE id = ${issueId}`
  return issue ?? refuse('no-issue', 'This issue does not exist any more.')
}

/** Returns a project that takes issues. Refuses with `no-project` or `archived`. */
export async function openProject(sql: Sql, projectId: string): Promise<Row> {
  const [project] = await sql`SELECT org_id, name, deleted_at FROM project WHERE id = ${projectId}`
  if (!project) return refuse('no-project', 'This project does not exist any more.')
  if (project.deleted_at !== null) refuse('archived', `${project.name} is archived: it takes no more issues.`)
  return project
}

/** Returns the membership under which the user acts in an organisation. Refuses with `not-a-member`. */
export async function ownMembership({ sql, user }: ActionContext, orgId: string | null): Promise<string | null> {
  const [own] = await sql`SELECT id FROM membership WHERE org_id = ${orgId} AND user_id = ${user.id}`
  return own?.id ?? refuse('not-a-member', 'You are not a member of this organisation.')
}

/** Checks that the assignee is a member of the issue's organisation. Refuses with `not-a-member`. */
export async function checkAssignee(sql: Sql, orgId: string | null, assigneeId: string): Promise<void> {
  const [member] = await sql`SELECT id FROM membership WHERE org_id = ${orgId} AND id = ${assigneeId}`
  if (!member) refuse('not-a-member', 'Only members of the organisation can be assigned.')
}

export async function nextNumber(sql: Sql, projectId: string): Promise<number> {
  const [last] = await sql`SELECT max(number) AS number FROM issue WHERE project_id = ${projectId}`
  return Number(last?.number ?? 0) + 1
}

export const isClosed = (state: string | null | undefined) => state === 'done' || state === 'cancelled'
