import { useState } from 'react'
import { UnsentWork } from 'tidemark/client'
import { ModalDialog, useReplica } from 'tidemark/react'

export interface Leaving {
  /** Signs out, unless that would drop what the server does not have: then `refusal` says so. */
  readonly leave: (options?: { readonly dropUnsent: boolean }) => void
  readonly refusal: Error | null
  readonly stay: () => void
}

/** Removes the user's replica from this device, and calls `onLeft` when it is gone. */
export function useLeaving(onLeft: () => void): Leaving {
  const replica = useReplica()
  const [refusal, setRefusal] = useState<Error | null>(null)
  return {
    leave: (options) => {
      setRefusal(null)
      replica.signOut(options).then(onLeft, setRefusal)
    },
    refusal,
    stay: () => setRefusal(null),
  }
}

/** Asks whether to drop what the server does not have. */
export function SignOutDialog({ leaving, onLeft }: { leaving: Leaving; onLeft: () => void }) {
  const { leave, refusal, stay } = leaving
  if (!(refusal instanceof UnsentWork)) {
    return (
      <ModalDialog title="Not everything could be removed from this device" onClose={onLeft}>
        <p>{refusal?.message}</p>
        <div className="notice-actions">
          <button type="button" className="button primary" onClick={onLeft}>
            Sign out
          </button>
        </div>
      </ModalDialog>
    )
  }
  const { pending, failed } = refusal
  return (
    <ModalDialog title="Some changes are on this device alone" onClose={stay}>
      {pending > 0 && <p>{pending} not confirmed by the server yet.</p>}
      {failed > 0 && <p>{failed} refused, and still to be decided.</p>}
      <p>Signing out drops them for good.</p>
      <div className="notice-actions">
        <button type="button" className="button primary" onClick={stay}>
          Stay signed in
        </button>
        <button type="button" className="button" onClick={() => leave({ dropUnsent: true })}>
          Sign out and drop them
        </button>
      </div>
    </ModalDialog>
  )
}
