import { useEffect, useState } from 'react'
import type { ReplicaInspection } from '../../inspection.ts'
import { useReplicaOpening } from '../replica-context.ts'

/** While a panel is open, what has no event of its own is read this often. */
const LOOK_MS = 1_000

/** Reads what a debug panel shows besides the status, again and again while it is mounted; null before the first. */
export function useInspection(): ReplicaInspection | null {
  const { replica } = useReplicaOpening()
  const [inspection, setInspection] = useState<ReplicaInspection | null>(null)
  useEffect(() => {
    if (replica === null) return
    let isCurrent = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async () => {
      const seen = await replica.inspect().catch(() => null)
      if (!isCurrent) return
      setInspection(seen)
      timer = setTimeout(() => void look(), LOOK_MS)
    }
    void look()
    return () => {
      isCurrent = false
      clearTimeout(timer)
    }
  }, [replica])
  return inspection
}
