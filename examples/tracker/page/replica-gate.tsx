import { useState } from 'react'
import { HydrationView, OpeningView } from './hydration-view.tsx'
import { MutationProvider } from './mutation-context.tsx'
import { Notice } from './notice.tsx'
import { ReplicaContext, useReplica, useReplicaStatus } from './replica-context.ts'
import type { LoginUser } from './session.ts'
import { ToastProvider } from './toast.tsx'
import { type OpenFault, useOpenReplica } from './use-open-replica.ts'
import { Workspace } from './workspace.tsx'

/** Opens the replica and shows the workspace once it is usable; until then, the progress or the fault. */
export function ReplicaGate({ user, onSignOut }: { user: LoginUser; onSignOut: () => void }) {
  const [attempt, setAttempt] = useState(0)
  const { replica, fault, progress } = useOpenReplica(user.id, attempt)
  if (fault) return <FaultNotice fault={fault} onRetry={() => setAttempt(attempt + 1)} onSignOut={onSignOut} />
  if (replica === null) return <OpeningView progress={progress} onSignOut={onSignOut} />
  return (
    <ReplicaContext value={replica}>
      <OpenReplica user={user} onSignOut={onSignOut} />
    </ReplicaContext>
  )
}

function OpenReplica({ user, onSignOut }: { user: LoginUser; onSignOut: () => void }) {
  const { ready } = useReplicaStatus(useReplica())
  if (!ready) return <HydrationView onSignOut={onSignOut} />
  return (
    <ToastProvider>
      <MutationProvider>
        <Workspace user={user} onSignOut={onSignOut} />
      </MutationProvider>
    </ToastProvider>
  )
}

function FaultNotice(props: { fault: OpenFault; onRetry: () => void; onSignOut: () => void }) {
  const { fault, onRetry, onSignOut } = props
  const retry = { label: 'Try again', onClick: onRetry }
  const signOut = { label: 'Choose another user', onClick: onSignOut }
  switch (fault.kind) {
    case 'already-open':
      return (
        <Notice kind={fault.kind} title="Tracker is open in another tab" secondary={signOut}>
          <p>One tab at a time has the replica. Close the other one and it opens here by itself; nothing is lost.</p>
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
