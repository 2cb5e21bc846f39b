import type { HealthCheck, MinuteFigures } from '../../contracts.ts'
import type { HealthFigures } from './health-figures.ts'
import { longestLag } from './minute-figures.ts'
import { check, limited } from './one-check.ts'

const LAG_WARN_MS = 10_000
const STALLED_WARN_MS = 60_000
const STALLED_FAIL_MS = 10 * 60_000
const BEHIND_WARN_MS = 60_000
/** Lags are judged by the longest of this time. */
export const LAG_WINDOW_MS = 5 * 60_000

/** The longest lags of the last minutes, in ms; null where none was measured. */
export function recentLags(minutes: readonly MinuteFigures[], now: number) {
  const recent = minutes.filter(({ atMs }) => atMs > now - LAG_WINDOW_MS)
  return { storedMs: longestLag(recent, 'storedMs'), deliveredMs: longestLag(recent, 'deliveredMs') }
}

/** Judges how far history and the SyncDOs are behind the database, in time. */
export function lagChecks(figures: HealthFigures, now: number): HealthCheck[] {
  const { storedMs, deliveredMs } = recentLags(figures.minutes, now)
  const { busySinceMs } = figures
  return [
    limited(
      'stalled',
      busySinceMs === null ? 0 : now - busySinceMs,
      'ms',
      { warn: STALLED_WARN_MS, fail: STALLED_FAIL_MS },
      'Capture runs, or tries to, and has not come to the end of the log for so long: see error; without one there is more to store than it can, or a statement of it waits for a lock (pg_stat_activity, application tidemark capture).',
    ),
    limited(
      'stored-lag',
      storedMs,
      'ms',
      { warn: LAG_WARN_MS },
      'So long after their commit changes were stored within the last five minutes: see stalled and error, the load of the database, and the region of the ReplicationDO (option location).',
    ),
    limited(
      'delivered-lag',
      deliveredMs,
      'ms',
      { warn: LAG_WARN_MS },
      'So long after their commit changes were acknowledged by a SyncDO within the last five minutes: see stored-lag, and /health/sync of the one named by longest-behind.',
    ),
    subscriberCheck(figures),
    longestBehindCheck(figures),
  ]
}

function subscriberCheck({ subscribers, subscribersBehind }: HealthFigures): HealthCheck {
  const behind = subscribersBehind > 0 && subscribersBehind === subscribers && subscribers > 3
  const message = 'No SyncDO acknowledges what it is sent: see /health/sync.'
  return check('subscribers-behind', behind ? 'warn' : 'ok', subscribersBehind, message, 'subscribers')
}

function longestBehindCheck({ longestBehind }: HealthFigures): HealthCheck {
  const message = `SyncDO ${longestBehind?.subscriber} does not acknowledge what it is sent: see /health/sync?object=${encodeURIComponent(longestBehind?.subscriber ?? '')}.`
  return limited('longest-behind', longestBehind?.ms ?? 0, 'ms', { warn: BEHIND_WARN_MS }, message)
}
