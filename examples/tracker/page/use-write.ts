import { useCallback } from 'react'
import { useToast } from './toast.tsx'
import { type TrackerReplica, useTracker } from './tracker-replica.ts'

/** Runs a write. A refusal on the spot is shown, and then nothing is written. Resolves to whether it was written. */
export function useWrite(): (write: (replica: TrackerReplica) => Promise<unknown>) => Promise<boolean> {
  const replica = useTracker()
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
