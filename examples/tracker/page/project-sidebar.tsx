import { Avatar } from './avatar.tsx'
import { formatCount } from './format.ts'
import type { IssueFilter } from './issue-query.ts'
import type { LoginUser } from './session.ts'
import { useLiveQuery } from './use-live-query.ts'
import { Wordmark } from './wordmark.tsx'

const PROJECTS = `
  SELECT project.id, project.key, project.name, organization.name AS organization, coalesce(open.issues, 0) AS issues
  FROM project
  JOIN organization ON organization.id = project.org_id
  LEFT JOIN (
    SELECT project_id, count(*)::int AS issues FROM issue WHERE state NOT IN ('done', 'cancelled') GROUP BY project_id
  ) AS open ON open.project_id = project.id
  ORDER BY organization.name, project.name`

interface ProjectRow {
  id: string
  key: string
  name: string
  organization: string
  issues: number
}

export function ProjectSidebar(props: {
  user: LoginUser
  projectId: string | null
  onChange: (part: Partial<IssueFilter>) => void
  onSignOut: () => void
}) {
  const { rows } = useLiveQuery<ProjectRow>(PROJECTS)
  const organizations = Map.groupBy(rows ?? [], (row) => row.organization)
  const total = (rows ?? []).reduce((sum, row) => sum + row.issues, 0)
  const choose = (projectId: string | null) => props.onChange({ projectId })
  return (
    <nav className="sidebar" aria-label="Projects">
      <Wordmark />
      <div className="sidebar-scroll">
        <ProjectButton
          name="All projects"
          issues={total}
          isCurrent={props.projectId === null}
          onClick={() => choose(null)}
        />
        {[...organizations].map(([organization, projects]) => (
          <section key={organization}>
            <h2>{organization}</h2>
            {projects.map((project) => (
              <ProjectButton
                key={project.id}
                name={project.name}
                issues={project.issues}
                isCurrent={props.projectId === project.id}
                onClick={() => choose(project.id)}
              />
            ))}
          </section>
        ))}
      </div>
      <div className="sidebar-user">
        <Avatar name={props.user.name} />
        <span className="ellipsis">{props.user.name}</span>
        <button type="button" className="link" onClick={props.onSignOut}>
          Sign out
        </button>
      </div>
    </nav>
  )
}

function ProjectButton(props: { name: string; issues: number; isCurrent: boolean; onClick: () => void }) {
  return (
    <button
      type="button"
      className="project"
      aria-current={props.isCurrent ? 'true' : undefined}
      onClick={props.onClick}
    >
      <span className="ellipsis">{props.name}</span>
      <span className="count">{formatCount(props.issues)}</span>
    </button>
  )
}
