import type { IssuePriority, IssueState } from '../sync-tables.ts'

export const ISSUE = `
  SELECT issue.id, issue.org_id, issue.project_id, issue.parent_id, issue.assignee_id, issue.title, issue.body,
    issue.state, issue.priority, issue.due_on::text AS due_on, issue.created_at, issue.updated_at, issue.closed_at,
    project.key || '-' || issue.number AS reference, project.name AS project, project.deleted_at AS archived_at,
    organization.name AS organization, assignee.display_name AS assignee, creator.display_name AS creator,
    parent.title AS parent, parent_project.key || '-' || parent.number AS parent_reference,
    (SELECT coalesce(json_agg(json_build_object('id', label.id, 'name', label.name, 'color', label.color) ORDER BY label.name), '[]')
     FROM issue_label JOIN label ON label.id = issue_label.label_id WHERE issue_label.issue_id = issue.id) AS labels,
    creator.user_id::text = $2 AND NOT EXISTS (
      SELECT FROM comment WHERE comment.issue_id = issue.id AND comment.author_id <> creator.id) AS is_deletable
  FROM issue
  JOIN project ON project.id = issue.project_id
  JOIN organization ON organization.id = issue.org_id
  LEFT JOIN membership AS assignee ON assignee.id = issue.assignee_id
  LEFT JOIN membership AS creator ON creator.id = issue.creator_id
  LEFT JOIN issue AS parent ON parent.id = issue.parent_id
  LEFT JOIN project AS parent_project ON parent_project.id = parent.project_id
  WHERE issue.id = $1`

export interface IssueDetailRow {
  id: string
  org_id: string
  project_id: string
  parent_id: string | null
  assignee_id: string | null
  title: string
  body: string
  state: IssueState
  priority: IssuePriority
  due_on: string | null
  created_at: Date
  updated_at: Date
  closed_at: Date | null
  reference: string
  project: string
  archived_at: Date | null
  organization: string
  assignee: string | null
  creator: string | null
  parent: string | null
  parent_reference: string | null
  labels: { id: string; name: string; color: string }[]
  /** True for the user's own issue, while nobody else has commented on it. */
  is_deletable: boolean | null
}

export const SUBTASKS = `
  SELECT issue.id, issue.title, issue.state, project.key || '-' || issue.number AS reference
  FROM issue JOIN project ON project.id = issue.project_id
  WHERE issue.parent_id = $1 ORDER BY issue.number, issue.id`

export interface SubtaskRow {
  id: string
  title: string
  state: IssueState
  reference: string
}
