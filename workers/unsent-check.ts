import type { HealthCheck, UnsentWork } from './contracts.ts'

const WARN_MS = 60 * 60_000

/** Judges the age of work that connected clients cannot send. */
export function unsentCheck({ lateClients, oldestMs, failedClients }: UnsentWork): HealthCheck {
  const isLong = (oldestMs ?? 0) > WARN_MS
  const message = `Work of ${lateClients} connected clients waits to be sent, for an hour and longer, and of ${failedClients} some was refused: see pushes-stuck and push-faults, and \`status.pushError\` in such a replica.`
  return {
    name: 'unsent-work',
    status: isLong ? 'warn' : 'ok',
    value: oldestMs,
    threshold: WARN_MS,
    unit: 'ms',
    message: isLong ? message : '',
  }
}
