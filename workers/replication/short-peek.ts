import { z } from 'zod'
import type { Query } from '../../db/query.ts'
import { formatPgLsn, type Lsn, minLsn, parsePgLsn } from '../../protocol/index.ts'
import { textArray } from '../database/index.ts'
import type { ChangeSource } from './change-source.ts'
import type { TablePlans } from './rules/table-plan.ts'

/** A whole peek in one answer. */
export interface ShortPeek {
  /** Read before the peek: everything that ends at or below it was visible. */
  readonly flushLsn: Lsn
  readonly upTo: Lsn
  readonly rows: readonly string[]
}

/** The peek that a wait inside Postgres makes at its end. */
export interface PeekOrder {
  readonly slotName: string
  readonly limit: Lsn
  readonly source: ChangeSource
  readonly plans: TablePlans
}

/** A short peek that came with a wait. */
export interface WaitedPeek extends ShortPeek {
  readonly order: PeekOrder
  /** A 64-bit id near every id in the log. */
  readonly xidHorizon: bigint
  /** The id that the next transaction gets, where none was in progress before the flush position was read; else null. */
  readonly soleXid: string | null
}

/** Rows and characters of a short peek; what goes beyond is read page by page instead. */
export const SHORT_PEEK_ROWS = 500
export const SHORT_PEEK_CHARS = 1024 * 1024
/** The server counts at commits only, so that a short transaction may end beyond `SHORT_PEEK_ROWS`. */
export const MOST_PEEK_ROWS = 2 * SHORT_PEEK_ROWS

/**
 * Reads flush position and peek in one round trip; null where the peek is not short.
 *
 * It takes a connection of its own: a peek empties the server's catalogue caches, which costs the next statement
 * milliseconds.
 */
export async function readShortPeek(
  query: Query,
  slotName: string,
  limit: Lsn,
  source: ChangeSource,
  plans: TablePlans,
): Promise<ShortPeek | null> {
  const { name, options } = source.call(plans)
  const [row] = await query(
    `WITH flush AS MATERIALIZED (SELECT pg_current_wal_flush_lsn() AS lsn),
      peeked AS MATERIALIZED (
        SELECT p.n, p.data, sum(length(p.data)) OVER (ORDER BY p.n) AS chars
        FROM flush, ${name}($1, least(flush.lsn, $2::pg_lsn), $3::int, VARIADIC $4::text[])
          WITH ORDINALITY AS p(lsn, xid, data, n))
     SELECT flush.lsn::text AS flush, (SELECT count(*) FROM peeked)::text AS count,
       (SELECT json_agg(data ORDER BY n) FROM peeked WHERE n <= ${MOST_PEEK_ROWS} AND chars <= ${SHORT_PEEK_CHARS})::text AS rows
     FROM flush`,
    [slotName, formatPgLsn(limit), SHORT_PEEK_ROWS, textArray(options)],
  )
  const rows = z.array(z.string()).parse(JSON.parse(row?.rows ?? '[]'))
  if (row === undefined || rows.length !== Number(row.count)) return null
  const flushLsn = parsePgLsn(row.flush ?? '')
  return { flushLsn, upTo: minLsn(flushLsn, limit), rows }
}

const waitedSchema = z.object({
  flush: z.string(),
  xmin: z.string(),
  xmax: z.string(),
  count: z.number(),
  rows: z.array(z.string()).nullable(),
})

/** Reads the peek of `tidemark.wait_for_wal`; null where it is not short. */
export function readWaitedPeek(peeked: string, order: PeekOrder): WaitedPeek | null {
  const { flush, xmin, xmax, count, rows } = waitedSchema.parse(JSON.parse(peeked))
  if ((rows ?? []).length !== count) return null
  const flushLsn = parsePgLsn(flush)
  const soleXid = xmin === xmax ? xmax : null
  return { order, flushLsn, upTo: minLsn(flushLsn, order.limit), rows: rows ?? [], xidHorizon: BigInt(xmax), soleXid }
}
