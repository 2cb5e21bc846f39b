import { useLiveQuery } from 'tidemark/react'
import { Avatar } from './avatar.tsx'
import { Choice } from './choice.tsx'
import { formatCount } from './format.ts'
import type { IssueFilter } from './issue-query.ts'
import type { LoginUser } from './session.ts'
import type { OrganizationChoice } from './use-organization.ts'
import { Wordmark } from './wordmark.tsx'
import { ofOrganization, PROJECTS, type ProjectRow } from './workspace-query.ts'

export function ProjectSidebar(props: {
  user: LoginUser
  filter: IssueFilter
  organization: OrganizationChoice
  onChange: (part: Partial<IssueFilter>) => void
  onSignOut: () => void
}) {
  const { filter, organization } = props
  const rows = ofOrganization(useLiveQuery<ProjectRow>(PROJECTS).rows, organization.current)
  const current = rows.filter((row) => row.archived_at === null)
  const archived = rows.filter((row) => row.archived_at !== null)
  const isInArchive = filter.archived || archived.some(({ id }) => id === filter.projectId)
  const total = (projects: readonly ProjectRow[]) => projects.reduce((sum, row) => sum + row.issues, 0)
  // Archived issues are mostly closed, so there the list starts with every state.
  const open = (projectId: string | null, intoArchive: boolean) => {
    const state = intoArchive === isInArchive ? {} : { state: intoArchive ? ('all' as const) : ('open' as const) }
    props.onChange({ projectId, archived: intoArchive, ...state })
  }
  const button = (project: ProjectRow) => (
    <ProjectButton
      key={project.id}
      name={project.name}
      issues={project.issues}
      isCurrent={filter.projectId === project.id}
      onClick={() => open(project.id, project.archived_at !== null)}
    />
  )
  return (
    <nav className="sidebar" aria-label="Projects">
      <Wordmark />
      {organization.organizations.length > 1 && <OrganizationSwitch {...organization} />}
      <div className="sidebar-scroll">
        <ProjectButton
          name="All projects"
          issues={total(current)}
          isCurrent={filter.projectId === null && !filter.archived}
          onClick={() => open(null, false)}
        />
        {[...Map.groupBy(current, (row) => row.organization)].map(([name, projects]) => (
          <section key={name}>
            <h2>{name}</h2>
            {projects.map(button)}
          </section>
        ))}
        {archived.length > 0 && (
          <section className="archive">
            <ProjectButton
              name="Archived"
              issues={total(archived)}
              isCurrent={filter.projectId === null && filter.archived}
              onClick={() => open(null, true)}
            />
            {isInArchive && archived.map(button)}
          </section>
        )}
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

function OrganizationSwitch({ organizations, current, choose }: OrganizationChoice) {
  return (
    <Choice label="Organisation" value={current ?? ''} onChange={(value) => choose(value || null)}>
      <option value="">All organisations</option>
      <hr />
      {organizations.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Choice>
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
