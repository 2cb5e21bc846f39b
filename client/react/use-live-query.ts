import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import type { Lsn } from '../../protocol/index.ts'
import type { DrizzleQuery, LiveRows, LiveStore, RowOf, SqlQuery } from '../live/live-rows.ts'
import type { Replica } from '../replica-api.ts'
import { firstRows } from './first-rows.ts'
import { useReplicaOpening } from './replica-context.ts'
import { type ShownRows, shownRows } from './rules/shown-rows.ts'
import { useArrival, useFirstAnswer } from './use-initial-rows.ts'

/** Rows that a server rendered the page with, and the commit at which it read them. */
export interface InitialRows<Row> {
  readonly rows: readonly Row[]
  /** As Postgres writes it, or in the form that a replica's status has. */
  readonly lsn: Lsn | string
}

export interface LiveQueryOptions<Row> {
  /** Suspends until the rows of these parameters are there, and throws the query's fault. */
  readonly suspense?: boolean
  /** Shown until the query is answered by a replica that holds the commit at which they were read. */
  readonly initialRows?: InitialRows<Row>
}

/** What is always there, where the component suspends or comes with rows. */
export type PresentRows<Row> = ShownRows<Row> & { readonly rows: readonly Row[] }

type Params = readonly unknown[]
type Suspending<Row> = LiveQueryOptions<Row> & { readonly suspense: true }

const NOTHING: LiveRows<never> = { rows: null, error: null, runs: 0 }
const NO_STORE: LiveStore<never> = {
  getSnapshot: () => NOTHING,
  subscribe: () => () => undefined,
  refresh: async () => undefined,
}

/**
 * Answers the rows of a query, again after every transaction that changed them. Rows that stayed as they were keep
 * their identity; while other parameters are on their way, the rows of those before stay.
 */
export function useLiveQuery<Result>(
  query: DrizzleQuery<Result>,
  options: Suspending<RowOf<Result>>,
): PresentRows<RowOf<Result>>
export function useLiveQuery<Result>(
  query: DrizzleQuery<Result>,
  options?: LiveQueryOptions<RowOf<Result>>,
): ShownRows<RowOf<Result>>
export function useLiveQuery<Row = Record<string, unknown>>(query: SqlQuery, options: Suspending<Row>): PresentRows<Row>
export function useLiveQuery<Row = Record<string, unknown>>(
  query: SqlQuery,
  options?: LiveQueryOptions<Row>,
): ShownRows<Row>
export function useLiveQuery<Row = Record<string, unknown>>(
  sql: string,
  params: Params | undefined,
  options: Suspending<Row>,
): PresentRows<Row>
export function useLiveQuery<Row = Record<string, unknown>>(
  sql: string,
  params?: Params,
  options?: LiveQueryOptions<Row>,
): ShownRows<Row>
export function useLiveQuery(
  query: string | SqlQuery | DrizzleQuery<unknown>,
  second?: Params | LiveQueryOptions<unknown>,
  third?: LiveQueryOptions<unknown>,
): ShownRows<unknown> {
  const { replica } = useReplicaOpening()
  const params = Array.isArray(second) ? (second as Params) : undefined
  const { suspense = false, initialRows } =
    third ?? (Array.isArray(second) ? {} : ((second ?? {}) as LiveQueryOptions<unknown>))
  const lsn = initialRows?.lsn ?? null
  const arrival = useArrival(lsn)

  // Equal queries are the same store, so this one stays until another is asked.
  const store = replica && arrival.isOpen ? storeOf(replica, query, params) : NO_STORE
  const live = useSyncExternalStore(
    useCallback((listener: () => void) => store.subscribe(listener), [store]),
    () => store.getSnapshot(),
    () => NOTHING,
  )
  useFirstAnswer(arrival, store)
  const initial = arrival.isAnswered ? null : (initialRows?.rows ?? null)
  // What was shown before is kept for as long as it is of the same replica: another one may be another user's.
  const before = useRef<{ readonly replica: unknown; readonly rows: readonly unknown[] | null } | null>(null)
  const kept = before.current?.replica === replica ? before.current.rows : null
  const { rows, error, isStale } = shownRows({ live, initial, kept })
  useEffect(() => {
    before.current = { replica, rows }
  }, [replica, rows])

  if (suspense && error) throw error
  // Where the page came with rows, they are what is shown meanwhile.
  if (suspense && live.rows === null && initial === null) throw firstRows(store)
  return useMemo(() => ({ rows, error, isStale }), [rows, error, isStale])
}

function storeOf(replica: Replica, query: string | SqlQuery | DrizzleQuery<unknown>, params: Params | undefined) {
  if (typeof query !== 'string') return 'toSQL' in query ? replica.live(query) : replica.live<unknown>(query)
  return replica.live<unknown>(params === undefined ? query : { sql: query, params })
}
