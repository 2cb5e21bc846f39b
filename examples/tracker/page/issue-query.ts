import type { IssuePriority, IssueState } from '../sync-tables.ts'

export type StateFilter = 'open' | 'closed' | 'all' | IssueState
export type SortOrder = 'updated' | 'created' | 'priority'

export interface IssueFilter {
  /** Null shows the issues of all the organisations in the replica. */
  readonly organizationId: string | null
  readonly projectId: string | null
  /** Without a project: shows the issues of archived projects instead of those of the others. */
  readonly archived: boolean
  readonly state: StateFilter
  /** A user, `'nobody'`, or null for anyone. */
  readonly assignee: string | null
  /** A label by name: organisations that use the same word mean the same. */
  readonly label: string | null
  readonly search: string
  readonly sort: SortOrder
}

export const NO_FILTER: IssueFilter = {
  organizationId: null,
  projectId: null,
  archived: false,
  state: 'open',
  assignee: null,
  label: null,
  search: '',
  sort: 'updated',
}

export interface IssueListRow {
  id: string
  reference: string
  title: string
  state: IssueState
  priority: IssuePriority
  assignee: string | null
  updated_at: Date
  labels: { name: string; color: string }[]
  comments: number
}

type Query = { readonly text: string; readonly params: readonly (string | number)[] }

export const ORDERS: Readonly<Record<SortOrder, string>> = {
  updated: 'issue.updated_at DESC, issue.id',
  created: 'issue.created_at DESC, issue.id',
  priority: 'issue.priority, issue.updated_at DESC, issue.id',
}

export function issueConditions(filter: IssueFilter): { where: string; params: (string | number)[] } {
  const params: (string | number)[] = []
  const parameter = (value: string) => `$${params.push(value)}`
  const parts: string[] = []
  if (filter.organizationId !== null) parts.push(`issue.org_id = ${parameter(filter.organizationId)}`)
  if (filter.projectId !== null) parts.push(`issue.project_id = ${parameter(filter.projectId)}`)
  else parts.push(`project.deleted_at IS ${filter.archived ? 'NOT NULL' : 'NULL'}`)
  if (filter.state === 'open') parts.push(`issue.state NOT IN ('done', 'cancelled')`)
  else if (filter.state === 'closed') parts.push(`issue.state IN ('done', 'cancelled')`)
  else if (filter.state !== 'all') parts.push(`issue.state = ${parameter(filter.state)}`)
  if (filter.assignee === 'nobody') parts.push('issue.assignee_id IS NULL')
  else if (filter.assignee !== null) {
    parts.push(`issue.assignee_id IN (SELECT id FROM membership WHERE user_id = ${parameter(filter.assignee)})`)
  }
  if (filter.label !== null) {
    parts.push(
      `EXISTS (SELECT FROM issue_label JOIN label ON label.id = issue_label.label_id
               WHERE issue_label.issue_id = issue.id AND label.name = ${parameter(filter.label)})`,
    )
  }
  for (const word of filter.search.trim().split(/\s+/).filter(Boolean).slice(0, 6)) {
    const pattern = parameter(`%${word.replace(/[\\%_]/g, '\\$&')}%`)
    parts.push(
      `(issue.title ILIKE ${pattern} OR issue.body ILIKE ${pattern} OR project.key || '-' || issue.number ILIKE ${pattern})`,
    )
  }
  return { where: `WHERE ${parts.join(' AND ')}`, params }
}

/** Selects the first `limit` issues that pass, with the columns that a list shows. */
export function issueListQuery(filter: IssueFilter, limit: number): Query {
  const { where, params } = issueConditions(filter)
  const order = ORDERS[filter.sort]
  const text = `
    SELECT issue.id, issue.key || '-' || issue.number AS reference, issue.title, issue.state, issue.priority,
      membership.display_name AS assignee, issue.updated_at,
      (SELECT coalesce(json_agg(json_build_object('name', label.name, 'color', label.color) ORDER BY label.name), '[]')
       FROM issue_label JOIN label ON label.id = issue_label.label_id WHERE issue_label.issue_id = issue.id) AS labels,
      (SELECT count(*)::int FROM comment WHERE comment.issue_id = issue.id) AS comments
    FROM (
      SELECT issue.*, project.key FROM issue JOIN project ON project.id = issue.project_id
      ${where} ORDER BY ${order} LIMIT $${params.length + 1}
    ) AS issue
    LEFT JOIN membership ON membership.id = issue.assignee_id
    ORDER BY ${order}`
  return { text, params: [...params, limit] }
}

export function issueCountQuery(filter: IssueFilter): Query {
  const { where, params } = issueConditions(filter)
  return {
    text: `SELECT count(*)::int AS count FROM issue JOIN project ON project.id = issue.project_id ${where}`,
    params,
  }
}
