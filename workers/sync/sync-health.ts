import type { HealthCheck, SyncHealth, UnsentWork } from '../contracts.ts'
import { unsentCheck } from '../unsent-check.ts'
import type { SyncState } from './storage/sync-storage.ts'

/** Judges one SyncDO: whether its lease holds, its log keeps up, and its replicas can hold every table. */
export function syncHealth(
  state: SyncState,
  facts: {
    readonly sockets: number
    readonly audiences: number
    readonly nowMs: number
    /** For each session that reported so, a table that its replica cannot hold. */
    readonly refused: readonly string[]
    readonly unsent: UnsentWork
  },
): SyncHealth {
  const leaseLeftMs = state.subscribed ? state.leaseUntilMs - facts.nowMs : 0
  const leaseOk = facts.sockets === 0 || leaseLeftMs > 0
  const behind = state.head !== null && state.head < state.target
  const checks: HealthCheck[] = [
    {
      name: 'lease',
      status: leaseOk ? 'ok' : 'fail',
      value: leaseLeftMs,
      threshold: 0,
      unit: 'ms',
      message: leaseOk
        ? ''
        : 'The subscription ran out and was not renewed, so that clients here get no changes: see /health/replication.',
    },
    {
      name: 'catch-up',
      status: !behind ? 'ok' : state.failures > 3 ? 'fail' : 'warn',
      value: state.failures,
      threshold: 3,
      unit: 'failures',
      message: behind ? 'The log is behind the head it heard of; it reads the gap from history and tries again.' : '',
    },
  ]
  const { refused } = facts
  checks.push({
    name: 'tables-refused',
    status: refused.length === 0 ? 'ok' : 'fail',
    value: refused.length,
    threshold: 0,
    unit: 'sessions',
    message:
      refused.length === 0
        ? ''
        : `Replicas cannot hold a table of the definition in force (${[...new Set(refused)].slice(0, 3).join(', ')}) and go on without it: see \`status.refused\` there for why, and change the table or leave it out.`,
  })
  checks.push(unsentCheck(facts.unsent))
  const statuses = checks.map((check) => check.status)
  const status = statuses.includes('fail') ? 'fail' : statuses.includes('warn') ? 'warn' : 'ok'
  const { epoch, head, logChars } = state
  return { status, epoch, head, sockets: facts.sockets, audiences: facts.audiences, logBytes: logChars, checks }
}
