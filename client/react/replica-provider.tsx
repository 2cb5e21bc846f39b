import { type ReactNode, useCallback, useEffect, useMemo, useSyncExternalStore } from 'react'
import type { Sync } from '../../db/define-sync.ts'
import type { Replica, ReplicaOptions } from '../replica-api.ts'
import { followOpening, nameOf, type OpenFunction, openingOf, renewOptions } from './opened-once.ts'
import { ReplicaContext } from './replica-context.ts'
import { NOT_BEGUN, type ReplicaOpening } from './replica-opening.ts'

type Rendered<S extends Sync> = ReactNode | ((opening: ReplicaOpening<S>) => ReactNode)

interface Children<S extends Sync> {
  readonly children?: Rendered<S>
  /**
   * Rendered in place of the children until the replica is open; a function gets progress and error. Without it the
   * children are rendered at once, and see `useReplicaOpening`.
   */
  readonly fallback?: Rendered<S>
}

export type ReplicaProviderProps<S extends Sync = Sync> = Children<S> &
  (
    | {
        /** An open replica, which the app opens and closes. */
        readonly replica: Replica<S>
      }
    | {
        /** What to open while mounted: another url, user or storage is another replica; equal ones are opened once. */
        readonly options: ReplicaOptions<S>
        /** Opens it. Default: `openReplica`. */
        readonly open?: OpenFunction
      }
  )

/** Provides the components below with a replica: with a given one, or with one that is open while this is mounted. */
export function ReplicaProvider<S extends Sync = Sync>(props: ReplicaProviderProps<S>): ReactNode {
  if ('replica' in props) return <GivenReplica {...props} />
  return <OpenedReplica {...props} />
}

function GivenReplica<S extends Sync>({ replica, ...rest }: Children<S> & { readonly replica: Replica<S> }) {
  const opening = useMemo(() => ({ ...NOT_BEGUN, replica, progress: replica.status.progress }), [replica])
  return <Provided opening={opening} {...rest} />
}

function OpenedReplica<S extends Sync>({
  options,
  open,
  ...rest
}: Children<S> & { readonly options: ReplicaOptions<S>; readonly open?: OpenFunction }) {
  // Which definition it is of is for those to say who use it.
  const latest = options as unknown as ReplicaOptions
  const name = nameOf(latest)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the name says which replica; its functions are renewed below.
  const follow = useCallback((listener: () => void) => followOpening(latest, listener, open), [name])
  useEffect(() => renewOptions(latest), [latest])
  const opening = useSyncExternalStore(
    follow,
    () => openingOf(name),
    () => NOT_BEGUN,
  )
  return <Provided opening={opening as unknown as ReplicaOpening<S>} {...rest} />
}

function Provided<S extends Sync>({
  opening,
  children,
  fallback,
}: Children<S> & { readonly opening: ReplicaOpening<S> }): ReactNode {
  const isCovered = opening.replica === null && fallback !== undefined
  const rendered = isCovered ? fallback : children
  return (
    <ReplicaContext.Provider value={opening as unknown as ReplicaOpening}>
      {typeof rendered === 'function' ? rendered(opening) : rendered}
    </ReplicaContext.Provider>
  )
}
