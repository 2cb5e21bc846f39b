import type { HealthCheck } from '../../contracts.ts'
import type { CapturePause } from '../../operations-contract.ts'
import type { HealthFigures, ServerFigures } from './health-figures.ts'
import { check } from './one-check.ts'

/** Above Neon's five minutes, so that it may sleep during a pause in which nobody writes. */
export const PAUSED_LOOK_MS = 6 * 60_000
/** A pause ends by itself where the slot holds back more, or less than this is left before the server drops it. */
const MOST_RETAINED_BYTES = 4 * 1024 ** 3
const LEAST_SAFE_BYTES = 512 * 1024 ** 2
const LARGE_RETAINED_BYTES = 1024 ** 3

/** Answers the time until a run has something to do during a pause: to look at the log, or to end the pause. */
export function pausedFor(pause: CapturePause, now: number): number {
  return Math.max(0, Math.min(PAUSED_LOOK_MS, pause.untilMs - now))
}

/** Answers why a pause must end before its time, so that the slot is not lost by it; null where it may go on. */
export function endsPause(server: ServerFigures | null): string | null {
  const { retainedWalBytes = null, safeWalBytes = null } = server ?? {}
  if (retainedWalBytes !== null && retainedWalBytes > MOST_RETAINED_BYTES)
    return `The pause ended by itself: the slot held back ${retainedWalBytes} bytes of log.`
  if (safeWalBytes !== null && safeWalBytes < LEAST_SAFE_BYTES)
    return `The pause ended by itself: ${safeWalBytes} bytes more of log, and the server would have dropped the slot.`
  return null
}

/** Tells of a pause: it warns while one lasts, and fails once the slot holds back much. */
export function pausedCheck({ pause, server }: HealthFigures): HealthCheck {
  if (pause === null) return check('paused', 'ok', null, '')
  const bytes = server?.retainedWalBytes ?? null
  const isLarge = bytes !== null && bytes > LARGE_RETAINED_BYTES
  const until = new Date(pause.untilMs).toISOString()
  const message = `Capture is paused by ${pause.by} and goes on by itself at ${until}, or before the slot holds back too much (retained-wal, looked at every six minutes): resume it on /ops.`
  return check('paused', isLarge ? 'fail' : 'warn', until, message, 'until')
}
