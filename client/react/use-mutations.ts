import { useCallback, useSyncExternalStore } from 'react'
import type { Rejection } from '../../protocol/index.ts'
import type { MutationHandle, MutationStatus } from '../mutations/mutation.ts'
import type { TransactionHandle } from '../replica-api.ts'
import { mutationStoreOf, NO_MUTATIONS } from './mutation-store.ts'
import { useReplicaOpening } from './replica-context.ts'
import type { SeenMutation } from './rules/seen-mutation.ts'

/** The state of one mutation. */
export interface MutationState {
  /** Null while it is being read, and where this replica does not know the mutation: see `isKnown`. */
  readonly status: MutationStatus | null
  /** False where it is not known here: never made here, or confirmed so long ago that it is forgotten. */
  readonly isKnown: boolean
  /** The reason of a failure; null otherwise. */
  readonly rejection: Rejection | null
}

const BEING_READ: MutationState = { status: null, isKnown: true, rejection: null }
const UNKNOWN: MutationState = { status: null, isKnown: false, rejection: null }
const NOTHING_WRITTEN: MutationState = { status: 'confirmed', isKnown: true, rejection: null }
const states = new WeakMap<SeenMutation, MutationState>()

/**
 * Answers the state of a mutation, by its handle or its id, which may be of an earlier visit to the page; null asks for
 * none.
 */
export function useMutationStatus(
  mutation: Pick<MutationHandle | TransactionHandle<unknown>, 'id'> | string | null,
): MutationState {
  const { replica } = useReplicaOpening()
  const id = typeof mutation === 'string' ? mutation : (mutation?.id ?? null)
  const subscribe = useCallback(
    (listener: () => void) =>
      replica === null || id === null ? () => undefined : mutationStoreOf(replica).subscribe(listener, id),
    [replica, id],
  )
  const read = () => {
    if (id === null) return mutation === null ? BEING_READ : NOTHING_WRITTEN
    if (replica === null) return BEING_READ
    return stateOf(mutationStoreOf(replica).one(id))
  }
  return useSyncExternalStore(subscribe, read, () => BEING_READ)
}

function stateOf(seen: SeenMutation | null | undefined): MutationState {
  if (seen === undefined) return BEING_READ
  if (seen === null) return UNKNOWN
  const known = states.get(seen)
  if (known) return known
  const state = { status: seen.status, isKnown: true, rejection: seen.rejection }
  states.set(seen, state)
  return state
}

/** Answers the newest mutations of the replica, newest first, at most 200; each is the same object until it changes. */
export function useMutations(): readonly SeenMutation[] {
  const { replica } = useReplicaOpening()
  const subscribe = useCallback(
    (listener: () => void) => (replica === null ? () => undefined : mutationStoreOf(replica).subscribe(listener)),
    [replica],
  )
  return useSyncExternalStore(
    subscribe,
    () => (replica === null ? NO_MUTATIONS : mutationStoreOf(replica).newest),
    () => NO_MUTATIONS,
  )
}
