import type { Query } from './issue-query.ts'

export interface OrganizationRow {
  id: string
  name: string
}

export const ORGANIZATIONS = 'SELECT id, name FROM organization ORDER BY name'

export interface ProjectRow {
  id: string
  name: string
  organization: string
  archived_at: Date | null
  /** How many are open; of an archived project, how many there are. */
  issues: number
}

/** The projects of one organisation, or of all in the replica. */
export function projectsQuery(organizationId: string | null): Query {
  const text = `
    SELECT project.id, project.name, organization.name AS organization, project.deleted_at AS archived_at,
      coalesce(CASE WHEN project.deleted_at IS NULL THEN counted.open ELSE counted.total END, 0) AS issues
    FROM project
    JOIN organization ON organization.id = project.org_id
    LEFT JOIN (
      SELECT project_id, count(*)::int AS total,
        (count(*) FILTER (WHERE state NOT IN ('done', 'cancelled')))::int AS open
      FROM issue GROUP BY project_id
    ) AS counted ON counted.project_id = project.id
    ${organizationId === null ? '' : 'WHERE project.org_id = $1'}
    ORDER BY organization.name, project.name`
  return { text, params: organizationId === null ? [] : [organizationId] }
}

/** Whom an issue can be assigned to; somebody in two organisations once. */
export function peopleQuery(organizationId: string | null): Query {
  const where = organizationId === null ? '' : 'WHERE org_id = $1'
  return {
    text: `SELECT user_id, min(display_name) AS name FROM membership ${where} GROUP BY user_id ORDER BY name`,
    params: organizationId === null ? [] : [organizationId],
  }
}

export function labelsQuery(organizationId: string | null): Query {
  const where = organizationId === null ? '' : 'WHERE org_id = $1'
  return {
    text: `SELECT DISTINCT name FROM label ${where} ORDER BY name`,
    params: organizationId === null ? [] : [organizationId],
  }
}
