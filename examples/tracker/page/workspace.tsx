import { useCallback, useEffect, useRef, useState } from 'react'
import { TidemarkDebugPanel } from 'tidemark/react'
import { ActivityFeed } from './activity-feed.tsx'
import { BoardView } from './board-view.tsx'
import { ConnectionStrip } from './connection-strip.tsx'
import { FailureStrip } from './failure-strip.tsx'
import { FilterBar } from './filter-bar.tsx'
import { IssueDetail } from './issue-detail.tsx'
import { IssueList } from './issue-list.tsx'
import { type IssueFilter, NO_FILTER } from './issue-query.ts'
import { KeyHelp } from './key-help.tsx'
import { focusRowOf, hasListFocus, moveInList } from './move-in-list.ts'
import { MutationLog } from './mutation-log.tsx'
import { NewIssueDialog } from './new-issue-dialog.tsx'
import { ProjectSidebar } from './project-sidebar.tsx'
import { ReviewDialog } from './review-dialog.tsx'
import type { LoginUser } from './session.ts'
import { type Panel, StatusBar } from './status-bar.tsx'
import { useKeys } from './use-keys.ts'
import { useOrganization } from './use-organization.ts'
import { useReview } from './use-review.ts'
import { useSelectedIssue } from './use-selected-issue.ts'
import { useUndo } from './use-undo.ts'
import { useView } from './use-view.ts'
import { ViewSwitch } from './view-switch.tsx'

export function Workspace({ user, onSignOut }: { user: LoginUser; onSignOut: () => void }) {
  const [chosen, setChosen] = useState<IssueFilter>(NO_FILTER)
  const [selected, select] = useSelectedIssue()
  const [view, setView] = useView()
  const [dialog, setDialog] = useState<'keys' | 'new-issue' | null>(null)
  const [isReviewing, setIsReviewing] = useReview()
  const [panel, setPanel] = useState<Panel | null>(null)
  const toggle = (chosen: Panel) => setPanel((shown) => (shown === chosen ? null : chosen))
  const undo = useUndo()
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
      case 'b':
        return setView(view === 'list' ? 'board' : 'list')
      case 'c':
        event.preventDefault()
        return setDialog('new-issue')
      case 'f':
        return toggle('feed')
      case 'l':
        return toggle('log')
      case 'd':
        return toggle('debug')
      case '?':
        return setDialog('keys')
    }
  })

  const wasSelected = useRef(selected)
  useEffect(() => {
    if (selected === null && wasSelected.current !== null) focusRowOf(wasSelected.current)
    wasSelected.current = selected
  }, [selected])

  return (
    <div className="workspace" data-detail={selected !== null} data-log={panel !== null}>
      <ProjectSidebar
        user={user}
        filter={filter}
        organization={{ ...organization, choose: chooseOrganization }}
        onChange={change}
        onSignOut={onSignOut}
      />
      <main className="issues">
        <FilterBar filter={filter} view={view} onChange={change}>
          <ViewSwitch view={view} onChange={setView} onNew={() => setDialog('new-issue')} />
        </FilterBar>
        <ConnectionStrip />
        <FailureStrip onReview={() => setIsReviewing(true)} />
        {view === 'list' ? (
          <IssueList filter={filter} selected={selected} onReset={() => setChosen(NO_FILTER)} />
        ) : (
          <BoardView filter={filter} selected={selected} />
        )}
      </main>
      {selected !== null && (
        <IssueDetail key={selected} id={selected} userId={user.id} undo={undo} onClose={() => select(null)} />
      )}
      {panel === 'feed' && <ActivityFeed organizationId={filter.organizationId} onClose={() => setPanel(null)} />}
      {panel === 'log' && <MutationLog onClose={() => setPanel(null)} />}
      {panel === 'debug' && <TidemarkDebugPanel onClose={() => setPanel(null)} />}
      <StatusBar
        undo={undo}
        panel={panel}
        onToggle={toggle}
        onReview={() => setIsReviewing(true)}
        onShowKeys={() => setDialog('keys')}
      />
      {dialog === 'keys' && <KeyHelp onClose={() => setDialog(null)} />}
      {dialog === 'new-issue' && <NewIssueDialog filter={filter} onClose={() => setDialog(null)} />}
      {isReviewing && <ReviewDialog onClose={() => setIsReviewing(false)} />}
    </div>
  )
}
