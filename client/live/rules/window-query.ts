import { TidemarkError } from '../../../protocol/index.ts'
import type { SqlQuery } from '../live-rows.ts'

/** The part of a result that is shown, in rows. */
export interface Window {
  readonly offset: number
  readonly limit: number
}

const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0

/** Reads the window of a query's options; null where it has none. Throws `bad-input`. */
export function windowOf({ offset, limit }: Partial<Window>): Window | null {
  if (offset === undefined && limit === undefined) return null
  if (!isCount(offset) || !isCount(limit))
    throw new TidemarkError('bad-input', 'Give a live query both offset and limit as whole numbers, or none.')
  return { offset, limit }
}

/** Answers the window as it is moved; the same one where it stays. Throws `bad-input` where there is none to move. */
export function moveWindow(window: Window | null, { offset, limit }: Partial<Window>): Window | null {
  if (offset === undefined && limit === undefined) return window
  if (window === null)
    throw new TidemarkError('bad-input', 'Only a live query that was opened with offset and limit can be moved.')
  const moved = windowOf({ offset: offset ?? window.offset, limit: limit ?? window.limit })
  return moved?.offset === window.offset && moved.limit === window.limit ? window : moved
}

/** The end of the app's own text may be a comment or a semicolon. */
const within = (sql: string) => `(${sql.replace(/;\s*$/, '')}\n) AS whole`

export function windowedQuery({ sql, params = [] }: SqlQuery, { offset, limit }: Window): SqlQuery {
  const place = params.length
  return {
    sql: `SELECT * FROM ${within(sql)} LIMIT $${place + 1}::int8 OFFSET $${place + 2}::int8`,
    params: [...params, limit, offset],
  }
}

export const countedQuery = ({ sql, params = [] }: SqlQuery): SqlQuery => ({
  sql: `SELECT count(*) AS count FROM ${within(sql)}`,
  params,
})
