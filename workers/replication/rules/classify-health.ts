import type { ErrorKind, Lsn } from '../../../protocol/index.ts'
import type { HealthCheck, ReplicationHealth } from '../../contracts.ts'
import type { WatchDecision } from './watch.ts'

export interface ServerFigures {
  readonly retainedWalBytes: number | null
  /** Age of the oldest transaction that has written, prepared ones included. */
  readonly openWriteMs: number
  readonly definitionHash: string | null
}

/** The figures by which the health of capture is judged. */
export interface HealthFigures {
  readonly epoch: string | null
  readonly head: Lsn | null
  readonly decoder: string | null
  readonly decoderReason: string | null
  readonly lastCycleAtMs: number | null
  /** The time at which the next cycle is due; null when none is armed. */
  readonly nextCycleAtMs: number | null
  /** The error of the last cycle, and how many failed in a row; null when it went well. */
  readonly lastError: { readonly kind: ErrorKind; readonly message: string; readonly count: number } | null
  readonly slotPresent: boolean | null
  readonly server: ServerFigures | null
  readonly bundleHash: string | null
  /** Reason and time of the last change of epoch within memory. */
  readonly epochStarted: { readonly reason: string; readonly atMs: number } | null
  /** Tables that are not synced any more because a halt ended by itself. */
  readonly leftOut: readonly string[]
  /** Tables in which rows were found whose audience is not their parent's. */
  readonly strays: readonly string[]
  readonly subscribers: number
  readonly subscribersBehind: number
  readonly watch: WatchDecision
}

/** The figures that health must keep across an eviction of the object. */
export type CaptureOutcome = Pick<HealthFigures, 'lastError' | 'lastCycleAtMs' | 'epochStarted'>

const LATE_CYCLE_MS = 60_000
const RETAINED_WARN_BYTES = 1024 * 1024 * 1024
const RETAINED_FAIL_BYTES = 8 * RETAINED_WARN_BYTES
const OPEN_WRITE_WARN_MS = 10 * 60_000
const EPOCH_NEWS_MS = 24 * 60 * 60_000

type Status = HealthCheck['status']

function check(
  name: string,
  status: Status,
  value: HealthCheck['value'],
  message: string,
  unit: string | null = null,
  threshold: number | null = null,
): HealthCheck {
  return { name, status, value, threshold, unit, message: status === 'ok' ? '' : message }
}

/** Judges the figures at `now`: one check each, with its remedy; the worst decides. */
export function classifyHealth(figures: HealthFigures, now: number): ReplicationHealth {
  const checks = [
    cycleCheck(figures, now),
    errorCheck(figures),
    slotCheck(figures),
    retainedCheck(figures),
    openWriteCheck(figures),
    definitionCheck(figures),
    leftOutCheck(figures),
    straysCheck(figures),
    epochCheck(figures, now),
    subscriberCheck(figures),
    watchCheck(figures),
  ]
  const statuses = checks.map(({ status }) => status)
  return {
    status: statuses.includes('fail') ? 'fail' : statuses.includes('warn') ? 'warn' : 'ok',
    epoch: figures.epoch,
    head: figures.head,
    decoder: figures.decoder,
    decoderReason: figures.decoderReason,
    lastCycleAt: figures.lastCycleAtMs === null ? null : new Date(figures.lastCycleAtMs).toISOString(),
    checks,
  }
}

function cycleCheck(figures: HealthFigures, now: number): HealthCheck {
  const { lastCycleAtMs, nextCycleAtMs } = figures
  const ageMs = lastCycleAtMs === null ? null : now - lastCycleAtMs
  const overdueMs = nextCycleAtMs === null ? Number.POSITIVE_INFINITY : now - nextCycleAtMs
  if (lastCycleAtMs === null && overdueMs <= LATE_CYCLE_MS) {
    return check('cycle', 'warn', null, 'No capture cycle has finished since this object started.', 'ms', LATE_CYCLE_MS)
  }
  const message = 'The next capture cycle is overdue: check that the cron trigger of the Worker is deployed.'
  return check('cycle', overdueMs > LATE_CYCLE_MS ? 'fail' : 'ok', ageMs, message, 'ms', LATE_CYCLE_MS)
}

function errorCheck({ lastError }: HealthFigures): HealthCheck {
  if (lastError === null) return check('error', 'ok', null, '')
  return check('error', 'fail', lastError.kind, `${lastError.message} (${lastError.count} cycles in a row)`)
}

function slotCheck({ slotPresent }: HealthFigures): HealthCheck {
  const message = 'The replication slot is missing or lost; the next cycle makes a new one and clients hydrate anew.'
  return check(
    'slot',
    slotPresent === false ? 'fail' : 'ok',
    slotPresent === null ? null : String(slotPresent),
    message,
  )
}

function retainedCheck({ server }: HealthFigures): HealthCheck {
  const bytes = server?.retainedWalBytes ?? null
  const status = bytes === null || bytes < RETAINED_WARN_BYTES ? 'ok' : bytes < RETAINED_FAIL_BYTES ? 'warn' : 'fail'
  const message =
    'The slot keeps much of the log on disk. See the other checks for why it does not advance, before the disk fills.'
  return check('retained-wal', status, bytes, message, 'bytes', RETAINED_WARN_BYTES)
}

function openWriteCheck({ server }: HealthFigures): HealthCheck {
  const ageMs = server?.openWriteMs ?? null
  const status = ageMs !== null && ageMs > OPEN_WRITE_WARN_MS ? 'warn' : 'ok'
  const message =
    'A transaction that has written stays open: every poll decodes the log since it began. End it (pg_stat_activity, ' +
    'pg_prepared_xacts) and set idle_in_transaction_session_timeout.'
  return check('open-write-transaction', status, ageMs, message, 'ms', OPEN_WRITE_WARN_MS)
}

function definitionCheck({ server, bundleHash }: HealthFigures): HealthCheck {
  const inForce = server?.definitionHash ?? null
  const differs = bundleHash !== null && inForce !== null && bundleHash !== inForce
  const message =
    'The deployed bundle declares another sync definition than the one in force: run tidemark migrate, or deploy.'
  return check('definition', differs ? 'warn' : 'ok', inForce, message)
}

function leftOutCheck({ leftOut }: HealthFigures): HealthCheck {
  const message =
    'These tables were altered so that they cannot be synced, and nobody mended it in time: the definition in force is without ' +
    'them. Mend them and run tidemark migrate, or migrate to a definition that does not name them.'
  return check('left-out', leftOut.length > 0 ? 'fail' : 'ok', leftOut.length > 0 ? leftOut.join(', ') : null, message)
}

function straysCheck({ strays }: HealthFigures): HealthCheck {
  const message =
    'Rows of these tables are seen by others than they should be, as their audience was written while nothing kept it: run tidemark doctor, ' +
    'which says how to mend each.'
  return check(
    'kept-audiences',
    strays.length > 0 ? 'fail' : 'ok',
    strays.length > 0 ? strays.join(', ') : null,
    message,
  )
}

function epochCheck({ epochStarted }: HealthFigures, now: number): HealthCheck {
  const recent = epochStarted !== null && epochStarted.reason !== 'first' && now - epochStarted.atMs < EPOCH_NEWS_MS
  const reason = epochStarted?.reason ?? null
  return check('epoch', recent ? 'warn' : 'ok', reason, `A new history began (${reason}); every client hydrated anew.`)
}

function subscriberCheck({ subscribers, subscribersBehind }: HealthFigures): HealthCheck {
  const behind = subscribersBehind > 0 && subscribersBehind === subscribers && subscribers > 3
  const message = 'No SyncDO acknowledges what it is sent: see /health/sync.'
  return check('subscribers-behind', behind ? 'warn' : 'ok', subscribersBehind, message, 'subscribers')
}

function watchCheck({ watch }: HealthFigures): HealthCheck {
  const message = `Changes made elsewhere arrive by plain polling: ${watch.reason}.`
  return check('watch', watch.degraded ? 'warn' : 'ok', watch.on ? 'on' : `off: ${watch.reason}`, message)
}
