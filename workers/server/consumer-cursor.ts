import type { Query } from '../../db/query.ts'
import { formatPgLsn, type Lsn, parsePgLsn, TidemarkError } from '../../protocol/index.ts'

/** Everything of an epoch up to `(lsn, seq)` was handled. */
export interface ConsumerCursor {
  readonly epoch: string
  readonly lsn: Lsn
  readonly seq: number
}

/** A cursor behind all changes of its transaction. */
export const WHOLE = 2_147_483_647
/** Another run of the same name may begin when this is over and nothing moved. */
const LEASE = "interval '60 seconds'"

const CLAIM = `
  UPDATE tidemark.consumer SET lease = $2, leased_until = clock_timestamp() + ${LEASE}
  WHERE name = $1 AND (lease IS NULL OR lease = $2 OR leased_until < clock_timestamp())
  RETURNING epoch, lsn::text, seq::text`
const BEGIN = `
  INSERT INTO tidemark.consumer (name, epoch, lsn, seq, lease, leased_until)
  SELECT $1, e.id, CASE WHEN $3::boolean THEN e.floor_lsn ELSE e.head_lsn END, ${WHOLE}, $2, clock_timestamp() + ${LEASE}
  FROM tidemark.epoch e WHERE e.ended_at IS NULL
  ON CONFLICT (name) DO NOTHING RETURNING epoch, lsn::text, seq::text`
const MOVE = `
  UPDATE tidemark.consumer SET epoch = $3, lsn = $4::pg_lsn, seq = $5::integer, moved_at = clock_timestamp(),
    leased_until = clock_timestamp() + ${LEASE}
  WHERE name = $1 AND lease = $2 RETURNING name`

const cursorOf = (row: Readonly<Record<string, string | null>>): ConsumerCursor => ({
  epoch: row.epoch ?? '',
  lsn: parsePgLsn(row.lsn ?? ''),
  seq: Number(row.seq),
})

/**
 * Makes the cursor this run's own, and the consumer where there is none; null where another run has it. Throws `unavailable`
 * where there is no history yet.
 */
export async function claimCursor(
  query: Query,
  name: string,
  lease: string,
  from: 'now' | 'beginning',
): Promise<ConsumerCursor | null> {
  const [own] = await query(CLAIM, [name, lease])
  if (own) return cursorOf(own)
  const [begun] = await query(BEGIN, [name, lease, String(from === 'beginning')])
  if (begun) return cursorOf(begun)
  const [known] = await query('SELECT name FROM tidemark.consumer WHERE name = $1', [name])
  if (known) return null
  throw new TidemarkError('unavailable', 'Capture has not begun a history yet; try again soon.')
}

/** Moves the cursor; false where another run has taken it over meanwhile. */
export async function moveCursor(query: Query, name: string, lease: string, to: ConsumerCursor): Promise<boolean> {
  const rows = await query(MOVE, [name, lease, to.epoch, formatPgLsn(to.lsn), to.seq])
  return rows.length > 0
}

export async function releaseCursor(query: Query, name: string, lease: string): Promise<void> {
  await query(
    'UPDATE tidemark.consumer SET lease = NULL, moved_at = clock_timestamp() WHERE name = $1 AND lease = $2',
    [name, lease],
  )
}
