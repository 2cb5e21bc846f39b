import type { Query } from '../../db/query.ts'
import { formatPgLsn, type Lsn, parsePgLsn, type Row } from '../../protocol/index.ts'
import type { ConsumerCursor } from './consumer-cursor.ts'

/** One change of a synced table, as the app's own server is told it: of all audiences, with values as Postgres' text. */
export interface ConsumedChange {
  /** `epoch`, `lsn` and `seq` name it for good: what was handled twice has them in common. */
  readonly epoch: string
  readonly lsn: Lsn
  readonly seq: number
  /** The time of the commit: ISO 8601, UTC. */
  readonly at: string
  readonly table: string
  readonly operation: 'insert' | 'update' | 'delete' | 'truncate'
  /** Null for a truncate. */
  readonly key: Row | null
  /** insert: the row. update: the changed columns. Hidden columns are in none. */
  readonly data: Row | null
  /** update: what they were. delete: the row. */
  readonly before: Row | null
  readonly audience: string | null
  /** The user whose replica wrote it; null where none did. */
  readonly user: string | null
  readonly mutation: string | null
}

/** The texts of one page are about this long; a single change may be longer. */
const PAGE_CHARS = 4 * 1024 * 1024

/** What stands between a cursor and the end of its history. */
interface HistoryStanding {
  /** The epoch that is current, and its head. */
  readonly current: string
  readonly head: Lsn
  /** History of the cursor's epoch at or below this is pruned; null where nothing of that epoch is known. */
  readonly floor: Lsn | null
}

const STANDING = `
  SELECT e.id AS current, e.head_lsn::text AS head,
    (SELECT own.floor_lsn::text FROM tidemark.epoch own WHERE own.id = $1) AS floor
  FROM tidemark.epoch e WHERE e.ended_at IS NULL`

const CHANGES = `
  SELECT c.* FROM (
    SELECT page.*, sum(page.chars) OVER (ORDER BY page.place_lsn, page.place_seq) AS so_far, row_number() OVER (ORDER BY page.place_lsn, page.place_seq) AS n
    FROM (
      SELECT h.lsn AS place_lsn, h.seq AS place_seq, h.lsn::text AS lsn, h.seq::text AS seq, h.table_name, h.operation,
        h.row_key::text AS key, h.data::text AS data, h.old_data::text AS before, h.audience, h.mutation_id,
        to_char(h.committed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, cl.user_id,
        coalesce(length(h.data::text), 0) + coalesce(length(h.old_data::text), 0) AS chars
      FROM tidemark.change_history h LEFT JOIN tidemark.client cl ON cl.id = h.client_id
      WHERE h.epoch = $1 AND (h.lsn, h.seq) > ($2::pg_lsn, $3::integer) AND h.operation IN ('insert', 'update', 'delete', 'truncate')
        AND ($4::text IS NULL OR h.table_name IN (SELECT json_array_elements_text($4::json)))
      ORDER BY h.lsn, h.seq LIMIT $5::integer) AS page) AS c
  WHERE c.n = 1 OR c.so_far <= ${PAGE_CHARS}
  ORDER BY c.place_lsn, c.place_seq`

export async function readStanding(query: Query, { epoch }: ConsumerCursor): Promise<HistoryStanding | null> {
  const [row] = await query(STANDING, [epoch])
  if (!row?.current) return null
  return { current: row.current, head: parsePgLsn(row.head ?? ''), floor: row.floor ? parsePgLsn(row.floor) : null }
}

/** Reads the changes after a cursor, at most so many; fewer are all there are only where `isAll`. */
export async function readChangesAfter(
  query: Query,
  { epoch, lsn, seq }: ConsumerCursor,
  tables: readonly string[] | null,
  most: number,
): Promise<{ readonly changes: readonly ConsumedChange[]; readonly isAll: boolean }> {
  const rows = await query(CHANGES, [epoch, formatPgLsn(lsn), seq, tables && JSON.stringify(tables), most])
  const read = rows.reduce((sum, { chars }) => sum + Number(chars), 0)
  return {
    changes: rows.map((row) => ({
      epoch,
      lsn: parsePgLsn(row.lsn ?? ''),
      seq: Number(row.seq),
      at: row.at ?? '',
      table: row.table_name ?? '',
      operation: row.operation as ConsumedChange['operation'],
      key: JSON.parse(row.key ?? 'null'),
      data: JSON.parse(row.data ?? 'null'),
      before: JSON.parse(row.before ?? 'null'),
      audience: row.audience ?? null,
      user: row.user_id ?? null,
      mutation: row.mutation_id ?? null,
    })),
    // A page that was cut by its length may be short too, and then its end was near: one more is read.
    isAll: rows.length < most && (rows.length === 0 || read < PAGE_CHARS / 2),
  }
}
