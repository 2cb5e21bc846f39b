import type { Query } from '../../db/query.ts'
import { type DefinitionInForce, parsePgLsn } from '../../protocol/index.ts'
import type { SnapshotFacts } from './join-position.ts'

/** The first statement that selects, so it takes the snapshot. A later one reads the insert position. */
const FACTS = `
  SELECT pg_current_snapshot()::text AS snapshot, d.version::text, d.hash,
    e.id, e.head_lsn::text, e.floor_lsn::text, e.start_xid::text,
    CASE WHEN e.definition_version = d.version THEN e.start_lsn ELSE (
      SELECT max(h.lsn) FROM tidemark.change_history h
      WHERE h.epoch = e.id AND h.table_name = 'tidemark.sync_definition' AND h.operation = 'definition'
        AND h.data ->> 'version' = d.version::text
    ) END::text AS definition_lsn,
    (
      SELECT min(h.lsn) FROM tidemark.change_history h
      WHERE h.epoch = e.id AND h.seq = 0 AND h.transaction_id >= pg_snapshot_xmin(pg_current_snapshot())
        AND NOT pg_visible_in_snapshot(h.transaction_id, pg_current_snapshot())
    )::text AS first_hidden
  FROM (SELECT) AS one
  LEFT JOIN LATERAL (
    -- Between the one in force and the latest are those that nobody can read.
    SELECT version, hash FROM tidemark.sync_definition WHERE version <= $1::bigint OR version > $2::bigint
    ORDER BY version DESC LIMIT 1) d ON true
  LEFT JOIN tidemark.epoch e ON e.ended_at IS NULL`

const FENCE = `
  SELECT pg_current_wal_insert_lsn()::text AS insert_lsn,
    (SELECT setting FROM pg_settings WHERE name = 'wal_block_size') AS block_bytes,
    (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size') AS segment_bytes`

/**
 * Reads what the open transaction sees of capture, and the version of the definition it shows; fixes the transaction's
 * snapshot.
 */
export async function readFacts(
  query: Query,
  { version, passedOver = version }: Pick<DefinitionInForce, 'version' | 'passedOver'>,
): Promise<{ facts: SnapshotFacts; version: number }> {
  const [row = {}] = await query(FACTS, [version, passedOver])
  const [fence = {}] = await query(FENCE)
  const lsn = (text: string | null | undefined) => (text == null ? null : parsePgLsn(text))
  const facts: SnapshotFacts = {
    snapshot: row.snapshot ?? '',
    epoch:
      row.id == null
        ? null
        : {
            id: row.id,
            head: parsePgLsn(row.head_lsn ?? ''),
            floor: parsePgLsn(row.floor_lsn ?? ''),
            startXid: BigInt(row.start_xid ?? '0'),
          },
    definitionHash: row.hash ?? null,
    definitionLsn: lsn(row.definition_lsn),
    firstHidden: lsn(row.first_hidden),
    insertLsn: parsePgLsn(fence.insert_lsn ?? ''),
    walBlockBytes: Number(fence.block_bytes),
    walSegmentBytes: Number(fence.segment_bytes),
  }
  return { facts, version: Number(row.version) }
}
