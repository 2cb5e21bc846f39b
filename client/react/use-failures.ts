import { useCallback, useSyncExternalStore } from 'react'
import type { Failure } from '../mutations/mutation.ts'
import { useReplicaOpening } from './replica-context.ts'

const NONE: readonly Failure[] = []

/** Answers the writes that were refused and wait for a decision, oldest first. */
export function useFailures(): readonly Failure[] {
  const { replica } = useReplicaOpening()
  const subscribe = useCallback((listener: () => void) => replica?.subscribe(listener) ?? (() => undefined), [replica])
  return useSyncExternalStore(
    subscribe,
    () => replica?.failures ?? NONE,
    () => NONE,
  )
}
