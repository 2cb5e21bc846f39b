import { useMemo } from 'react'
import type { TidemarkError } from 'tidemark/client'
import { ReplicaProvider, RowMarksProvider, useSyncStatus } from 'tidemark/react'
import { HydrationView, OpeningView } from './hydration-view.tsx'
import { ISSUE_MARKS } from './issue-marks.ts'
import { Notice } from './notice.tsx'
import { openTracker, trackerOptions } from './open-tracker.ts'
import type { LoginUser } from './session.ts'
import { SignOutDialog, useLeaving } from './sign-out.tsx'
import { ToastProvider } from './toast.tsx'
import { Workspace } from './workspace.tsx'

/** Opens the replica and shows the workspace once it is usable; until then, the progress or the fault. */
export function ReplicaGate({ user, onSignOut }: { user: LoginUser; onSignOut: () => void }) {
  const options = useMemo(() => trackerOptions(user.id), [user.id])
  return (
    <ReplicaProvider
      options={options}
      open={openTracker}
      fallback={({ error, progress, retry }) =>
        error ? (
          <FaultNotice fault={error} onRetry={retry} onSignOut={onSignOut} />
        ) : (
          <OpeningView progress={progress} onSignOut={onSignOut} />
        )
      }
    >
      <OpenReplica user={user} onSignOut={onSignOut} />
    </ReplicaProvider>
  )
}

function OpenReplica({ user, onSignOut }: { user: LoginUser; onSignOut: () => void }) {
  const ready = useSyncStatus((status) => status.ready)
  const leaving = useLeaving(onSignOut)
  const dialog = leaving.refusal && <SignOutDialog leaving={leaving} onLeft={onSignOut} />
  const leave = () => leaving.leave()
  if (!ready) {
    return (
      <>
        <HydrationView onSignOut={leave} />
        {dialog}
      </>
    )
  }
  return (
    <ToastProvider>
      <RowMarksProvider {...ISSUE_MARKS}>
        <Workspace user={user} onSignOut={leave} />
        {dialog}
      </RowMarksProvider>
    </ToastProvider>
  )
}

function FaultNotice(props: {
  fault: Pick<TidemarkError, 'kind' | 'message'>
  onRetry: () => void
  onSignOut: () => void
}) {
  const { fault, onRetry, onSignOut } = props
  const retry = { label: 'Try again', onClick: onRetry }
  const signOut = { label: 'Choose another user', onClick: onSignOut }
  switch (fault.kind) {
    case 'already-open':
      return (
        <Notice kind={fault.kind} title="Tracker is open in another tab" secondary={signOut}>
          <p>An older version of it has the replica. Close that tab and it opens here by itself; nothing is lost.</p>
        </Notice>
      )
    case 'storage':
      return (
        <Notice kind={fault.kind} title="This browser refuses to store the replica" action={retry} secondary={signOut}>
          <p>{fault.message}</p>
          <p>Private windows and full disks are the usual reasons.</p>
        </Notice>
      )
    case 'stalled':
      return (
        <Notice
          kind={fault.kind}
          title="The local database stopped while it started"
          action={retry}
          secondary={signOut}
        >
          <p>{fault.message}</p>
          <p>A busy or sleeping device does that; what was stored is untouched.</p>
        </Notice>
      )
    default:
      return (
        <Notice kind={fault.kind} title="The replica could not be opened" action={retry} secondary={signOut}>
          <p>{fault.message}</p>
        </Notice>
      )
  }
}
