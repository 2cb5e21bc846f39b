import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { CaptureSettings } from '../../workers/replication/capture-state.ts'
import type { CaptureMemory } from '../../workers/replication/rules/epoch-decision.ts'
import type { Traffic } from './watched-database.ts'

export interface BoundedCapture {
  readonly settings: CaptureSettings
  readonly memory: CaptureMemory
}

export interface BoundedOutcome {
  readonly memory: CaptureMemory
  readonly traffic: Traffic
  /** True where a batch was too large to be handed on. */
  readonly dropped: boolean
  /** The most that lay outside the heap: bytes received and not read yet. */
  readonly externalBytes: number
}

/**
 * Captures everything in a thread whose heap ends at `heapMb`; if it needs more, it dies with ERR_WORKER_OUT_OF_MEMORY.
 */
export function captureBounded({ settings, memory }: BoundedCapture, heapMb: number): Promise<BoundedOutcome> {
  // A function does not cross to a thread, which has a clock of its own.
  const { nowMs: _clock, ...plain } = settings
  const thread = new Worker(join(import.meta.dirname, 'bounded-capture-thread.ts'), {
    workerData: { settings: plain, memory },
    resourceLimits: { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: 8 },
  })
  return new Promise((resolve, reject) => {
    thread.once('message', resolve)
    thread.once('error', reject)
  })
}
