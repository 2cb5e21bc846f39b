import { useCallback, useEffect, useRef, useState } from 'react'
import { ConnectionStrip } from './connection-strip.tsx'
import { FilterBar } from './filter-bar.tsx'
import { IssueDetail } from './issue-detail.tsx'
import { IssueList } from './issue-list.tsx'
import { type IssueFilter, NO_FILTER } from './issue-query.ts'
import { KeyHelp } from './key-help.tsx'
import { focusRowOf, hasListFocus, moveInList } from './move-in-list.ts'
import { ProjectSidebar } from './project-sidebar.tsx'
import type { LoginUser } from './session.ts'
import { StatusBar } from './status-bar.tsx'
import { useKeys } from './use-keys.ts'
import { useOrganization } from './use-organization.ts'
import { useSelectedIssue } from './use-selected-issue.ts'

export function Workspace({ user, onSignOut }: { user: LoginUser; onSignOut: () => void }) {
  const [chosen, setChosen] = useState<IssueFilter>(NO_FILTER)
  const [selected, select] = useSelectedIssue()
  const [showsKeys, setShowsKeys] = useState(false)
  const organization = useOrganization(user.id)
  const change = useCallback((part: Partial<IssueFilter>) => setChosen((current) => ({ ...current, ...part })), [])
  const filter = { ...chosen, organizationId: organization.current }

  const chooseOrganization = (id: string | null) => {
    organization.choose(id)
    setChosen(NO_FILTER)
    select(null)
  }

  useKeys((event) => {
    switch (event.key) {
      case 'j':
        return moveInList(1)
      case 'k':
        return moveInList(-1)
      case 'ArrowDown':
      case 'ArrowUp':
        if (!hasListFocus()) return
        event.preventDefault()
        return moveInList(event.key === 'ArrowDown' ? 1 : -1)
      case 'Escape':
        return select(null)
      case '?':
        return setShowsKeys(true)
    }
  })

  const wasSelected = useRef(selected)
  useEffect(() => {
    if (selected === null && wasSelected.current !== null) focusRowOf(wasSelected.current)
    wasSelected.current = selected
  }, [selected])

  return (
    <div className="workspace" data-detail={selected !== null}>
      <ProjectSidebar
        user={user}
        filter={filter}
        organization={{ ...organization, choose: chooseOrganization }}
        onChange={change}
        onSignOut={onSignOut}
      />
      <main className="issues">
        <FilterBar filter={filter} onChange={change} />
        <ConnectionStrip />
        <IssueList filter={filter} selected={selected} onReset={() => setChosen(NO_FILTER)} />
      </main>
      {selected !== null && <IssueDetail key={selected} id={selected} onClose={() => select(null)} />}
      <StatusBar onShowKeys={() => setShowsKeys(true)} />
      {showsKeys && <KeyHelp onClose={() => setShowsKeys(false)} />}
    </div>
  )
}
