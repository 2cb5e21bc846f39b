import { formatPgLsn, parsePgLsn } from '../../protocol/index.ts'
import type { Database } from '../database/index.ts'
import type { HistoryArchive, PrunedPlace } from './history-archive.ts'

/** Rows of one DELETE, and of one part of the archive. */
const BATCH_ROWS = 5_000
/** Their stored size, which one row alone may exceed. */
const BATCH_BYTES = 8 * 1024 * 1024
/** Batches of one run; the rest waits for the next. */
const MAX_BATCHES = 20

/** A consumer of all changes holds back what it has not handled, for so long beyond retention and no longer. */
const CONSUMER_GRACE_DAYS = 7
const BEYOND_GRACE = (limit: string) => `${limit}::timestamptz - interval '${CONSUMER_GRACE_DAYS} days'`
const HELD_FROM = `coalesce((SELECT min(c.lsn) FROM tidemark.consumer c WHERE c.epoch = $1), 'FFFFFFFF/FFFFFFFF')`

/**
 * The oldest rows of an epoch; those committed before the limit are a prefix of them, in commit order. What a consumer may
 * have yet to read is left out.
 */
const BATCH = `
  SELECT lsn::text, seq::text FROM (
    SELECT lsn, seq, committed_at, row_number() OVER places AS place, sum(bytes) OVER places AS bytes FROM (
      SELECT lsn, seq, committed_at, coalesce(pg_column_size(data), 0) + coalesce(pg_column_size(old_data), 0) AS bytes
      FROM tidemark.change_history h WHERE epoch = $1 ORDER BY h.epoch, h.lsn, h.seq LIMIT $2::int
    ) oldest WINDOW places AS (ORDER BY oldest.lsn, oldest.seq)
  ) batch WHERE (committed_at < $3::timestamptz AND (committed_at < ${BEYOND_GRACE('$3')} OR lsn < ${HELD_FROM}) OR $4::boolean)
    AND (place = 1 OR bytes <= ${BATCH_BYTES})
  ORDER BY batch.lsn DESC, batch.seq DESC LIMIT 1`

/**
 * Prunes history older than `limit` (ISO 8601) in bounded batches, each with the floor it leaves, and each only once the archive has
 * it, where there is one. Returns whether more waits.
 *
 * A transaction cut by a batch lies at the floor, which no reader may go below. The announcements of definitions stay:
 * they say what is in force. A consumer whose cursor is below the floor all the same is told so when it comes. Throws what the
 * database and the archive throw; then nothing is pruned that is not archived.
 */
export async function pruneHistory(
  database: Database,
  limit: string,
  archive: HistoryArchive | null = null,
): Promise<boolean> {
  const [current] = await database.query('SELECT id FROM tidemark.epoch WHERE ended_at IS NULL')
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const ended = await findEnded(database, limit)
    const rows = ended === null ? 0 : await pruneBatch(database, ended, { limit, isEnded: true, archive })
    const more = current?.id ? await pruneBatch(database, current.id, { limit, isEnded: false, archive }) : 0
    if (rows + more === 0) return false
  }
  return true
}

/** Finds an epoch that ended before the limit and has history left. */
async function findEnded({ query }: Database, limit: string): Promise<string | null> {
  const [row] = await query(
    `SELECT e.id FROM tidemark.epoch e WHERE e.ended_at < $1::timestamptz
     AND (e.ended_at < ${BEYOND_GRACE('$1')} OR NOT EXISTS (SELECT FROM tidemark.consumer c WHERE c.epoch = e.id))
     AND EXISTS (SELECT FROM tidemark.change_history h WHERE h.epoch = e.id) ORDER BY e.ended_at LIMIT 1`,
    [limit],
  )
  return row?.id ?? null
}

interface Pruning {
  readonly limit: string
  /** All rows of the epoch go. */
  readonly isEnded: boolean
  readonly archive: HistoryArchive | null
}

async function pruneBatch(database: Database, epoch: string, { limit, isEnded, archive }: Pruning): Promise<number> {
  const [last] = await database.query(BATCH, [epoch, BATCH_ROWS, limit, isEnded])
  if (!last?.lsn) return 0
  const to: PrunedPlace = { lsn: parsePgLsn(last.lsn), seq: Number(last.seq) }
  await archive?.store(database.query, { epoch, to })
  return database.transaction(async ({ query }) => {
    const [deleted] = await query(
      `WITH gone AS (DELETE FROM tidemark.change_history
         WHERE epoch = $1 AND (lsn, seq) <= ($2::pg_lsn, $3::int) AND ($4::boolean OR operation <> 'definition') RETURNING 1)
       SELECT count(*)::text AS rows FROM gone`,
      [epoch, formatPgLsn(to.lsn), to.seq, isEnded],
    )
    // Capture waits for this row, so it is locked last.
    await query('UPDATE tidemark.epoch SET floor_lsn = greatest(floor_lsn, $2::pg_lsn) WHERE id = $1', [
      epoch,
      formatPgLsn(to.lsn),
    ])
    return Number(deleted?.rows ?? 0)
  })
}
