import type { FoundOpen } from '../store/rows/owner-row.ts'
import { pause } from './pause.ts'
import type { ReplicaStatus, StatusStore } from './status.ts'

/** A page is mostly ended without a word, so that this says little; once a day is enough. */
const COMPARED_FOR_MS = 24 * 60 * 60_000
const TRIES = 3
const LEAST_DELAY_MS = 30_000
const MOST_DELAY_MS = 150_000

interface UnaskedOptions {
  readonly found: FoundOpen
  readonly status: StatusStore
  readonly check: () => Promise<unknown>
  readonly nowMs: number
  readonly delayMs?: number | undefined
}

/** A delay before a look, so that replicas that a deploy or a crash ended together do not ask together. */
const someDelayMs = () => LEAST_DELAY_MS + Math.random() * (MOST_DELAY_MS - LEAST_DELAY_MS)

/** Compares a storage that nobody closed with the server, once it has caught up and the app has had its start. Rule CHK-R5. */
export async function checkUnasked(
  { found, status, check, nowMs, delayMs }: UnaskedOptions,
  signal: AbortSignal,
): Promise<void> {
  const isDue = found.comparedAtMs === null || nowMs - found.comparedAtMs > COMPARED_FOR_MS
  if (!found.wasOpen || !isDue) return
  for (let tried = 0; tried < TRIES && !signal.aborted; tried += 1) {
    await whenLive(status, signal)
    await pause(delayMs ?? someDelayMs(), signal)
    if (signal.aborted) return
    const done = await check().then(
      () => true,
      () => false,
    )
    if (done) return
  }
}

function whenLive(status: StatusStore, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const isOver = ({ phase, ready }: ReplicaStatus) =>
      signal.aborted || phase === 'closed' || (phase === 'live' && ready)
    if (isOver(status.current)) return resolve()
    const stop = status.subscribe((current) => {
      if (!isOver(current)) return
      stop()
      resolve()
    })
  })
}
