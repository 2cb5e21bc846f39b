export interface OrganizationRow {
  id: string
  name: string
}

export const ORGANIZATIONS = 'SELECT id, name FROM organization ORDER BY name'

export interface ProjectRow {
  id: string
  org_id: string
  name: string
  organization: string
  archived_at: Date | null
  /** The number of open issues; for an archived project, of all its issues. */
  issues: number
}

export const PROJECTS = `
  SELECT project.id, project.org_id, project.name, organization.name AS organization, project.deleted_at AS archived_at,
    coalesce(CASE WHEN project.deleted_at IS NULL THEN counted.open ELSE counted.total END, 0) AS issues
  FROM project
  JOIN organization ON organization.id = project.org_id
  LEFT JOIN (
    SELECT project_id, count(*)::int AS total,
      (count(*) FILTER (WHERE state NOT IN ('done', 'cancelled')))::int AS open
    FROM issue GROUP BY project_id
  ) AS counted ON counted.project_id = project.id
  ORDER BY organization.name, project.name`

export interface PersonRow {
  /** Id of the membership. */
  id: string
  org_id: string
  user_id: string
  name: string
}

/** A user in two organisations is listed twice. */
export const PEOPLE = 'SELECT id, org_id, user_id, display_name AS name FROM membership ORDER BY display_name, user_id'

export interface LabelRow {
  id: string
  org_id: string
  name: string
  color: string
}

export const LABELS = 'SELECT id, org_id, name, color FROM label ORDER BY name'

/**
 * Picks the rows of one organisation, or of all. They are few: a switch of organisations need not ask the replica anew.
 */
export function ofOrganization<Row extends { org_id: string }>(
  rows: readonly Row[] | null,
  organizationId: string | null,
): readonly Row[] {
  return (rows ?? []).filter((row) => organizationId === null || row.org_id === organizationId)
}
