import { useCallback, useState } from 'react'
import { FilterBar } from './filter-bar.tsx'
import { IssueDetail } from './issue-detail.tsx'
import { IssueList } from './issue-list.tsx'
import { type IssueFilter, NO_FILTER } from './issue-query.ts'
import { ProjectSidebar } from './project-sidebar.tsx'
import type { LoginUser } from './session.ts'
import { StatusBar } from './status-bar.tsx'
import { useSelectedIssue } from './use-selected-issue.ts'

export function Workspace({ user, onSignOut }: { user: LoginUser; onSignOut: () => void }) {
  const [filter, setFilter] = useState<IssueFilter>(NO_FILTER)
  const [selected, select] = useSelectedIssue()
  const change = useCallback((part: Partial<IssueFilter>) => setFilter((current) => ({ ...current, ...part })), [])

  return (
    <div className="workspace" data-detail={selected !== null}>
      <ProjectSidebar user={user} projectId={filter.projectId} onChange={change} onSignOut={onSignOut} />
      <main className="issues">
        <FilterBar filter={filter} onChange={change} />
        <IssueList filter={filter} selected={selected} onReset={() => setFilter(NO_FILTER)} />
      </main>
      {selected !== null && <IssueDetail key={selected} id={selected} onClose={() => select(null)} />}
      <StatusBar />
    </div>
  )
}
