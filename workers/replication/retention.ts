import { formatPgLsn, parsePgLsn } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'

/** Rows of one DELETE. */
const BATCH_ROWS = 5_000
/** DELETEs of one run; the rest waits for the next. */
const MAX_BATCHES = 20

/** A consumer of all changes holds back what it has not handled, for so long beyond retention and no longer. */
const CONSUMER_GRACE_DAYS = 7
const BEYOND_GRACE = (limit: string) => `${limit}::timestamptz - interval '${CONSUMER_GRACE_DAYS} days'`

/**
 * The oldest rows of an epoch; those committed before the limit are a prefix of them, in commit order. What a consumer may have yet to
 * read is left out.
 */
const CANDIDATES = `
  SELECT max(lsn)::text AS floor, count(*)::text AS rows FROM (
    SELECT lsn, committed_at FROM tidemark.change_history WHERE epoch = $1 ORDER BY epoch, lsn, seq LIMIT $2::int
  ) oldest WHERE committed_at < $3::timestamptz AND (committed_at < ${BEYOND_GRACE('$3')}
    OR lsn < coalesce((SELECT min(c.lsn) FROM tidemark.consumer c WHERE c.epoch = $1), 'FFFFFFFF/FFFFFFFF'))`

/**
 * Prunes history older than `limit` (ISO 8601) in bounded batches, each with the floor it leaves. Returns whether more waits.
 *
 * A transaction cut by a batch lies at the floor, which no reader may go below. The announcements of definitions stay:
 * they say what is in force. A consumer whose cursor is below the floor all the same is told so when it comes.
 */
export async function pruneHistory(database: Database, limit: string): Promise<boolean> {
  const [current] = await database.query('SELECT id FROM tidemark.epoch WHERE ended_at IS NULL')
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const ended = await pruneEnded(database, limit)
    const rows = ended + (current?.id ? await pruneCurrent(database, current.id, limit) : 0)
    if (rows === 0) return false
  }
  return true
}

async function pruneCurrent(database: Database, epoch: string, limit: string): Promise<number> {
  const [oldest] = await database.query(CANDIDATES, [epoch, BATCH_ROWS, limit])
  if (!oldest?.floor) return 0
  const floor = formatPgLsn(parsePgLsn(oldest.floor))
  return database.transaction(async ({ query }) => {
    await query('UPDATE tidemark.epoch SET floor_lsn = greatest(floor_lsn, $2::pg_lsn) WHERE id = $1', [epoch, floor])
    const deleted = await query(
      `WITH gone AS (DELETE FROM tidemark.change_history
         WHERE epoch = $1 AND lsn <= $2::pg_lsn AND committed_at < $3::timestamptz AND operation <> 'definition' RETURNING 1)
       SELECT count(*)::text AS rows FROM gone`,
      [epoch, floor, limit],
    )
    return Number(deleted[0]?.rows ?? 0)
  })
}

async function pruneEnded(database: Database, limit: string): Promise<number> {
  const [deleted] = await database.query(
    `WITH old AS (
       SELECT h.epoch, h.lsn, h.seq FROM tidemark.epoch e JOIN tidemark.change_history h ON h.epoch = e.id
       WHERE e.ended_at < $1::timestamptz AND (e.ended_at < ${BEYOND_GRACE('$1')}
         OR NOT EXISTS (SELECT FROM tidemark.consumer c WHERE c.epoch = e.id)) LIMIT $2::int
     ), gone AS (
       DELETE FROM tidemark.change_history h USING old
       WHERE (h.epoch, h.lsn, h.seq) = (old.epoch, old.lsn, old.seq) RETURNING 1)
     SELECT count(*)::text AS rows FROM gone`,
    [limit, BATCH_ROWS],
  )
  return Number(deleted?.rows ?? 0)
}
