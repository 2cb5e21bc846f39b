import { type IssueFilter, type IssueListRow, issueConditions, ORDERS } from './issue-query.ts'

export interface BoardRow extends IssueListRow {
  /** The number of issues in this state, shown or not. */
  of_state: number
}

/** Selects the first `limit` issues of each state that pass the rest of the filter. */
export function boardQuery(filter: IssueFilter, limit: number) {
  const { where, params } = issueConditions({ ...filter, state: 'all' })
  const order = ORDERS[filter.sort]
  const text = `
    SELECT issue.id, issue.key || '-' || issue.number AS reference, issue.title, issue.state, issue.priority,
      membership.display_name AS assignee, issue.updated_at, issue.of_state,
      (SELECT coalesce(json_agg(json_build_object('name', label.name, 'color', label.color) ORDER BY label.name), '[]')
       FROM issue_label JOIN label ON label.id = issue_label.label_id WHERE issue_label.issue_id = issue.id) AS labels,
      (SELECT count(*)::int FROM comment WHERE comment.issue_id = issue.id) AS comments
    FROM (
      SELECT issue.*, project.key, row_number() OVER (PARTITION BY issue.state ORDER BY ${order}) AS position,
        (count(*) OVER (PARTITION BY issue.state))::int AS of_state
      FROM issue JOIN project ON project.id = issue.project_id ${where}
    ) AS issue
    LEFT JOIN membership ON membership.id = issue.assignee_id
    WHERE issue.position <= $${params.length + 1}
    ORDER BY ${order}`
  return { text, params: [...params, limit] }
}
