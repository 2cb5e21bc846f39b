import { type DefinitionInForce, extendXid, formatPgLsn, type Lsn, parsePgLsn } from '../../protocol/index.ts'
import type { Database } from '../../workers/database/index.ts'
import { takeOver } from '../../workers/replication/adopt-drift.ts'
import { captureBatch } from '../../workers/replication/capture-batch.ts'
import type { ChangeSource } from '../../workers/replication/change-source.ts'
import { planTables } from '../../workers/replication/rules/table-plan.ts'
import { findTakenBack } from '../../workers/replication/told-types.ts'
import type { HistoryRow } from './history-model.ts'
import { readHistory } from './samples.ts'

export interface CaptureTask {
  readonly epoch: string
  readonly slotName: string
  readonly source: ChangeSource
  readonly maxChanges: number
}

/** Captures everything into an epoch of its own, in small batches, so that transactions meet the ends of batches. */
export async function captureInto(
  database: Database,
  definition: DefinitionInForce,
  { epoch, slotName, source, maxChanges }: CaptureTask,
): Promise<HistoryRow[]> {
  const [place] = await database.query(
    `SELECT pg_current_wal_flush_lsn()::text AS flush, pg_snapshot_xmax(pg_current_snapshot())::text AS horizon,
       confirmed_flush_lsn::text AS start FROM pg_replication_slots WHERE slot_name = $1`,
    [slotName],
  )
  await database.query(`UPDATE tidemark.epoch SET ended_at = now() WHERE ended_at IS NULL`)
  await database.query(
    `INSERT INTO tidemark.epoch (id, slot_name, owner, decoder, system_identifier, timeline, start_lsn, start_xid, head_lsn, floor_lsn, definition_version)
     VALUES ($1, $2, 'oracle', $3, '1', 1, $4::pg_lsn, '1', $4::pg_lsn, $4::pg_lsn, 1)`,
    [epoch, slotName, source.decoder, place?.start ?? null],
  )
  // A truncate gave a table another file; as in capture's own cycle, that is taken over before anything is read.
  const slot = { name: slotName, decoder: source.decoder }
  const drifts = await takeOver(database, { findTakenBack: (doubts) => findTakenBack(database.query, slot, doubts) })
  if (drifts.length > 0) throw new Error(`The workload altered ${drifts.map(({ table }) => table).join()}.`)
  const upTo = parsePgLsn(place?.flush ?? '')
  let head: Lsn = parsePgLsn(place?.start ?? '')
  for (let complete = false; !complete; ) {
    const batch = await captureBatch(database, source, {
      epoch,
      head,
      capturedTo: head,
      upTo,
      maxChanges,
      slotName,
      definition,
      plans: planTables(definition),
      xidHorizon: extendXid('0', BigInt(place?.horizon ?? '0')),
      passedOver: new Set<string>(),
      next: null,
      unplacedTo: 0,
      wanted: () => true,
    })
    if (batch.drift) throw batch.drift
    head = batch.head ?? head
    const seenTo = batch.seenTo ?? head
    complete = batch.complete
    await database.query('SELECT pg_replication_slot_advance($1, $2::pg_lsn)', [slotName, formatPgLsn(seenTo)])
  }
  return await readHistory(database, epoch)
}
