import { useCallback } from 'react'
import { type TrackerReplica, useReplica } from './replica-context.ts'
import { useToast } from './toast.tsx'

/** Runs a write. A refusal on the spot is shown, and then nothing is written. Resolves to whether it was written. */
export function useWrite(): (write: (replica: TrackerReplica) => Promise<unknown>) => Promise<boolean> {
  const replica = useReplica()
  const toast = useToast()
  return useCallback(
    async (write) => {
      try {
        await write(replica)
        return true
      } catch (error) {
        toast({ kind: 'error', text: error instanceof Error ? error.message : String(error) })
        return false
      }
    },
    [replica, toast],
  )
}
