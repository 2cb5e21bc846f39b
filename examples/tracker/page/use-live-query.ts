import type { LiveQuery } from '@electric-sql/pglite/live'
import { useEffect, useState } from 'react'
import { useReplica } from './replica-context.ts'

type Parameter = string | number | boolean | null

export interface LiveRows<Row> {
  /** Null until the first answer; while a changed query runs, the rows of the one before. */
  readonly rows: readonly Row[] | null
  readonly error: string | null
}

/** Rows of a query, again after every change to its tables. */
export function useLiveQuery<Row extends object>(text: string, params: readonly Parameter[] = []): LiveRows<Row> {
  const { db } = useReplica()
  const [state, setState] = useState<LiveRows<Row>>({ rows: null, error: null })
  const serializedParams = JSON.stringify(params)

  useEffect(() => {
    let isCurrent = true
    let live: LiveQuery<Row> | undefined
    const show = (rows: readonly Row[]) => isCurrent && setState({ rows, error: null })
    db.live
      .query<Row>(text, JSON.parse(serializedParams) as Parameter[], (results) => show(results.rows))
      .then((opened) => {
        live = opened
        if (isCurrent) show(opened.initialResults.rows)
        else void opened.unsubscribe()
      })
      .catch((error: Error) => isCurrent && setState({ rows: null, error: error.message }))
    return () => {
      isCurrent = false
      void live?.unsubscribe()
    }
  }, [db, text, serializedParams])

  return state
}
