import type { CaptureFigures, HealthCheck, ReplicationHealth } from '../../contracts.ts'
import { epochCause } from './epoch-causes.ts'
import type { HealthFigures } from './health-figures.ts'
import { lagChecks, recentLags } from './lag-checks.ts'
import { logChecks } from './log-checks.ts'
import { check } from './one-check.ts'
import { pausedCheck } from './pause.ts'
import { workChecks } from './work-checks.ts'

const LATE_CYCLE_MS = 60_000
const EPOCH_NEWS_MS = 24 * 60 * 60_000

/** Judges the figures at `now`: one check each, with its remedy; the worst decides. */
export function classifyHealth(figures: HealthFigures, now: number): ReplicationHealth {
  const checks = [
    cycleCheck(figures, now),
    errorCheck(figures),
    pausedCheck(figures),
    ...logChecks(figures),
    ...lagChecks(figures, now),
    ...workChecks(figures, now),
    definitionCheck(figures),
    leftOutCheck(figures),
    straysCheck(figures),
    epochCheck(figures, now),
    watchCheck(figures),
    ...figures.others,
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
    figures: figuresToShow(figures, now),
  }
}

function figuresToShow(figures: HealthFigures, now: number): CaptureFigures {
  const { counts, server, subscribers, subscribersBehind, longestBehind, busySinceMs, clients, minutes } = figures
  const { storedMs, deliveredMs } = recentLags(minutes, now)
  return {
    ...counts,
    storedLagMs: storedMs,
    deliveredLagMs: deliveredMs,
    busyMs: busySinceMs === null ? 0 : now - busySinceMs,
    retainedWalBytes: server?.retainedWalBytes ?? null,
    safeWalBytes: server?.safeWalBytes ?? null,
    oldestWriteMs: server === null ? null : (server.oldestWrite?.ms ?? 0),
    restartLsn: server?.restartLsn ?? null,
    oldestWrite: server?.oldestWrite ?? null,
    consumers: server?.consumers ?? [],
    stuckMutations: server?.stuck.count ?? null,
    failedCycles: figures.lastError?.count ?? 0,
    subscribers,
    subscribersBehind,
    longestBehindMs: longestBehind?.ms ?? 0,
    unsent: figures.unsent,
    clients,
    minutes,
  }
}

function cycleCheck(figures: HealthFigures, now: number): HealthCheck {
  const { lastCycleAtMs, nextCycleAtMs } = figures
  const ageMs = lastCycleAtMs === null ? null : now - lastCycleAtMs
  const overdueMs = nextCycleAtMs === null ? Number.POSITIVE_INFINITY : now - nextCycleAtMs
  if (lastCycleAtMs === null && figures.pause === null && overdueMs <= LATE_CYCLE_MS) {
    return check('cycle', 'warn', null, 'No capture cycle has finished since this object started.', 'ms', LATE_CYCLE_MS)
  }
  const message = 'The next capture cycle is overdue: check that the cron trigger of the Worker is deployed.'
  return check('cycle', overdueMs > LATE_CYCLE_MS ? 'fail' : 'ok', ageMs, message, 'ms', LATE_CYCLE_MS)
}

function errorCheck({ lastError }: HealthFigures): HealthCheck {
  if (lastError === null) return check('error', 'ok', null, '')
  return check('error', 'fail', lastError.kind, `${lastError.message} (${lastError.count} cycles in a row)`)
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
  const message = `A new history began (${reason}); every client hydrates anew and keeps what it has not sent. ${epochCause(reason ?? '')}`
  return check('epoch', recent ? 'warn' : 'ok', reason, message.trimEnd())
}

function watchCheck({ watch }: HealthFigures): HealthCheck {
  const message = `Changes made elsewhere arrive by plain polling: ${watch.reason}.`
  return check('watch', watch.degraded ? 'warn' : 'ok', watch.on ? 'on' : `off: ${watch.reason}`, message)
}
