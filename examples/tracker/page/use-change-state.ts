import { useCallback } from 'react'
import type { IssueState } from '../sync-tables.ts'
import { changeState } from './issue-writes.ts'
import { refusalCode } from './refusal.ts'
import { useToast } from './toast.tsx'
import { useTracker } from './tracker-replica.ts'

type Issue = { readonly id: string; readonly state: IssueState }

/** Changes an issue's state; where open subtasks stand in the way, offers to close them with it. */
export function useChangeState(): (issue: Issue, state: IssueState) => Promise<void> {
  const replica = useTracker()
  const toast = useToast()
  return useCallback(
    async (issue, state) => {
      const fail = (error: unknown) =>
        toast({ kind: 'error', text: error instanceof Error ? error.message : String(error) })
      try {
        await changeState(replica, issue, state)
      } catch (error) {
        if (refusalCode(error) !== 'open-subtasks') return fail(error)
        const onClick = () => void changeState(replica, issue, state, 'close').catch(fail)
        toast({
          kind: 'error',
          text: (error as Error).message,
          action: { label: 'Close all', onClick },
        })
      }
    },
    [replica, toast],
  )
}
