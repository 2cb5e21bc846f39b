import type { System } from '../../testing/system/start-system.ts'
import { captureAll, type Decoder, insertIssues, SMALL_ORG } from '../bench-system.ts'
import { type Figure, figure, timed } from '../measure.ts'
import { memoryMb, peakMemoryMb } from '../processes.ts'

const TRANSACTIONS = 20_000
const BULK_ROWS = 100_000
const LARGE_ROWS = 300_000
const SAMPLE_MS = 200

/** Capture looks only when asked here, so that the clock runs for capture alone: the writes are there already. */
export const CAPTURE_POLL_MS = 3_600_000

export async function captureSingle(system: System, decoder: Decoder): Promise<Figure[]> {
  const database = await system.openDatabase()
  await captureAll(system)
  await database.query(
    `DO $$ DECLARE target uuid := (SELECT min(id::text)::uuid FROM public.issue WHERE org_id = '${SMALL_ORG}'); BEGIN
       FOR n IN 1..${TRANSACTIONS} LOOP
         UPDATE public.issue SET title = 'single ' || n WHERE id = target;
         COMMIT;
       END LOOP; END $$`,
  )
  const { elapsedMs } = await timed(() => captureAll(system))
  await database.close()
  return [
    figure(
      `capture.single.per_s.${decoder}`,
      TRANSACTIONS / (elapsedMs / 1000),
      'changes/s',
      { atLeast: 10_000 },
      `${TRANSACTIONS} committed one-row updates waiting in the log, until all are in history`,
    ),
  ]
}

export async function captureBulk(system: System, decoder: Decoder): Promise<Figure[]> {
  const database = await system.openDatabase()
  await captureAll(system)
  await insertIssues(database, SMALL_ORG, 1_000_000, BULK_ROWS)
  const { elapsedMs } = await timed(() => captureAll(system))
  await database.close()
  return [
    figure(
      `capture.bulk.per_s.${decoder}`,
      BULK_ROWS / (elapsedMs / 1000),
      'rows/s',
      { atLeast: 30_000 },
      `one committed transaction of ${BULK_ROWS} inserted issues, until it is in history`,
    ),
  ]
}

export async function captureLarge(system: System, decoder: Decoder): Promise<Figure[]> {
  const database = await system.openDatabase()
  await captureAll(system)
  await insertIssues(database, SMALL_ORG, 2_000_000, LARGE_ROWS)
  const before = memoryMb('workerd')
  const peak = await peakMemoryMb('workerd', SAMPLE_MS, () => captureAll(system))
  await database.close()
  return [
    figure(
      `capture.large_tx.memory_mb.${decoder}`,
      peak - before,
      'MB',
      null,
      `most that the whole runtime process grew while it captured one transaction of ${LARGE_ROWS} issues (PSS every ${SAMPLE_MS} ms)`,
    ),
  ]
}
