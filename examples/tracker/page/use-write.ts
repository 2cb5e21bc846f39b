import { useCallback } from 'react'
import { type TrackerReplica, useReplica } from './replica-context.ts'
import { useToast } from './toast.tsx'

/** Runs a write; what is refused here and now is said, with nothing written. Answers whether it was written. */
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
