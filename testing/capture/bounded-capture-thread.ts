import { parentPort, workerData } from 'node:worker_threads'
import { openDatabase, withDatabase } from '../../workers/database/index.ts'
import { Capture } from '../../workers/replication/capture.ts'
import type { CaptureMemory } from '../../workers/replication/rules/epoch-decision.ts'
import type { RoutedBatch } from '../../workers/replication/rules/subscription.ts'
import type { BoundedCapture, BoundedOutcome } from './bounded-capture.ts'
import { watched } from './watched-database.ts'

const SAMPLE_EVERY_MS = 20

async function run({ settings: plain, memory }: BoundedCapture): Promise<BoundedOutcome> {
  const settings = { ...plain, nowMs: Date.now }
  let kept = memory
  let externalBytes = 0
  let dropped = false
  const atStart = process.memoryUsage().external
  const sampling = setInterval(() => {
    externalBytes = Math.max(externalBytes, process.memoryUsage().external - atStart)
  }, SAMPLE_EVERY_MS)
  const store = {
    read: () => kept,
    write: (next: CaptureMemory) => {
      kept = next
    },
  }
  const distribute = ({ transactions, to, from }: RoutedBatch) => {
    dropped ||= transactions === null && to > from
  }
  const capture = new Capture(settings, store)
  const traffic = await withDatabase(settings.env, async (plain) => {
    const { database, traffic } = watched(plain)
    const openReader = async () => watched(await openDatabase(settings.env), traffic).database
    while ((await capture.cycle(database, () => true, distribute, { openReader })).more);
    return traffic
  })
  clearInterval(sampling)
  return { memory: kept, traffic, dropped, externalBytes }
}

parentPort?.postMessage(await run(workerData as BoundedCapture))
