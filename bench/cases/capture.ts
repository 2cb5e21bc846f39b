import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { LIMITS } from '../../protocol/index.ts'
import type { System } from '../../testing/system/start-system.ts'
import { captureAll, type Decoder, directUrl, insertIssues, SMALL_ORG, tokenFor } from '../bench-system.ts'
import { type Figure, figure, percentile, timed } from '../measure.ts'
import { memoryMb, peakMemoryMb } from '../processes.ts'

const TRANSACTIONS = 20_000
const BULK_ROWS = 100_000
const LARGE_ROWS = 300_000
const SAMPLE_MS = 200
const CALM_MS = 1_000

/** So long a pause that capture looks only when asked; then the clock runs for capture alone, after the writes. */
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
  const alone = await pushDelaysMs(system, wait(CALM_MS))
  let meanwhile: number[] = []
  const peak = await peakMemoryMb('workerd', SAMPLE_MS, async () => {
    meanwhile = await pushDelaysMs(system, captureAll(system))
  })
  await database.close()
  return [
    figure(
      `capture.large_tx.memory_mb.${decoder}`,
      peak - before,
      'MB',
      null,
      `most that the whole runtime process grew while it captured one transaction of ${LARGE_ROWS} issues (PSS every ${SAMPLE_MS} ms)`,
    ),
    figure(
      `capture.large_tx.push_p50_ms.${decoder}`,
      percentile(meanwhile, 0.5),
      'ms',
      null,
      `empty pushes of others meanwhile, one after the other; ${percentile(alone, 0.5).toFixed(0)} ms before`,
    ),
    figure(
      `capture.large_tx.push_max_ms.${decoder}`,
      percentile(meanwhile, 1),
      'ms',
      null,
      `likewise, the longest; ${percentile(alone, 1).toFixed(0)} ms before`,
    ),
  ]
}

/** Measures pushes of others through lane and database, each by another user, until `work` is done. */
async function pushDelaysMs(system: System, work: Promise<unknown>): Promise<number[]> {
  let isDone = false
  const ended = work.finally(() => {
    isDone = true
  })
  const delaysMs: number[] = []
  while (!isDone) {
    const headers = { authorization: `Bearer ${await tokenFor(system, SMALL_ORG)}`, 'content-type': 'application/json' }
    const client = randomUUID()
    const body = JSON.stringify({ protocol: LIMITS.protocolVersion, client, acknowledged: 0, mutations: [] })
    const { elapsedMs, result } = await timed(() =>
      fetch(`${directUrl(system)}/sync/push`, { method: 'POST', headers, body }),
    )
    if (!result.ok) throw new Error(`A push was answered ${result.status}: ${await result.text()}`)
    await result.body?.cancel()
    delaysMs.push(elapsedMs)
  }
  await ended
  return delaysMs
}
