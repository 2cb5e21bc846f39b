import type { HealthCheck } from '../../contracts.ts'
import { unsentCheck } from '../../unsent-check.ts'
import type { HealthFigures } from './health-figures.ts'
import { LAG_WINDOW_MS } from './lag-checks.ts'
import { check, limited } from './one-check.ts'

const STUCK_WARN_MS = 60_000
const CONSUMER_WARN_MS = 60 * 60_000

/** Judges what users and their replicas get done: pushes, versions of the schema, first loads. */
export function workChecks(figures: HealthFigures, now: number): HealthCheck[] {
  return [
    stuckCheck(figures),
    faultCheck(figures, now),
    clientCheck(figures),
    unsentCheck(figures.unsent),
    buildCheck(figures),
    consumerCheck(figures),
  ]
}

function stuckCheck({ server }: HealthFigures): HealthCheck {
  const stuck = server?.stuck
  const isLong = stuck !== undefined && stuck.count > 0 && stuck.oldestMs > STUCK_WARN_MS
  const states = stuck?.sqlStates.length ? ` (SQLSTATE ${stuck.sqlStates.join(', ')})` : ''
  const message = `Mutations are tried again and again and cannot be decided${states}; each is refused in the end. See the Worker's log, and what stands in their way: locks, a trigger, a table that was altered.`
  return check('pushes-stuck', isLong ? 'warn' : 'ok', stuck?.count ?? null, message, 'mutations', 0)
}

function faultCheck({ minutes, counts }: HealthFigures, now: number): HealthCheck {
  const recent = minutes.filter(({ atMs }) => atMs > now - LAG_WINDOW_MS).reduce((sum, { faults }) => sum + faults, 0)
  const kinds = Object.entries(counts.faults).map(([kind, count]) => `${kind} ${count}`)
  const message = `Pushes failed as a whole within the last five minutes by faults of the server or the database; since the object began: ${kinds.join(', ')}. Replicas send them again; the Worker's log says why.`
  return limited('push-faults', recent, 'pushes', { warn: 0 }, message)
}

function clientCheck({ clients }: HealthFigures): HealthCheck {
  const failing = clients.reduce((sum, group) => sum + group.failing, 0)
  const message =
    'Replicas could not take a version of the definition, even in a second try, and show older rows of the tables concerned: tidemark migration:status says which version and why.'
  return limited('clients-failing', failing, 'clients', { warn: 0 }, message)
}

function consumerCheck({ server }: HealthFigures): HealthCheck {
  const consumers = server?.consumers ?? []
  const lost = consumers.filter(({ isLost }) => isLost).map(({ name }) => name)
  const lagMs = consumers.length === 0 ? null : Math.max(...consumers.map((one) => one.lagMs))
  const late = consumers.filter((one) => one.lagMs > CONSUMER_WARN_MS).map(({ name }) => name)
  if (lost.length > 0) {
    const message = `Changes are gone that ${lost.join(', ')} had not handled: run it with onLost, where it reads its tables whole, or remove it (removeConsumer).`
    return check('consumers', 'fail', lagMs, message, 'ms', CONSUMER_WARN_MS)
  }
  const message = `${late.join(', ')} leaves changes unhandled and so holds back pruning, for seven days beyond retention: run it, or remove it (removeConsumer).`
  return check('consumers', late.length > 0 ? 'warn' : 'ok', lagMs, message, 'ms', CONSUMER_WARN_MS)
}

function buildCheck({ counts }: HealthFigures): HealthCheck {
  const { lastFault } = counts.builds
  const message = `The last snapshot could not be built (${lastFault}), so that new clients wait; the Worker's log says why, and Hydration in the docs what each kind asks for.`
  return check('snapshot-builds', lastFault === null ? 'ok' : 'warn', counts.builds.failed, message, 'failed builds')
}
