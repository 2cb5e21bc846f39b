import { formatPgLsn, lsnDistanceBytes } from '../../../protocol/index.ts'
import type { LiveQueryDescription } from '../../live/live-messages.ts'
import type { FailedMigration, MigrationsStatus, ReplicaStatus } from '../../replica/status.ts'
import type { SeenMutation } from './seen-mutation.ts'

export type Fact = readonly [name: string, value: string]

/** Words a status for people who debug: where it stands, what waits, and what went wrong. */
export function statusFacts(status: ReplicaStatus): Fact[] {
  const { phase, ready, epoch, lsn, head, audiences, rows, migrations, pending, failed, tabs } = status
  // Without a connection the head is the one that was heard last.
  const hears = phase === 'live' || phase === 'catching-up'
  const behind = !hears || !lsn || !head ? 'unknown' : head > lsn ? `${lsnDistanceBytes(lsn, head)} bytes` : 'nothing'
  const refused = Object.keys(status.refused)
  const faults: readonly (Fact | null)[] = [
    status.error && ['error', `${status.error.kind}: ${status.error.message}`],
    status.pushError && ['push', `${status.pushError.kind}: ${status.pushError.message}`],
    status.unprotected === null ? null : ['unprotected', status.unprotected],
    status.rebuilt === null ? null : ['made anew', status.rebuilt],
    migrations.fault === null ? null : ['migration', migrations.fault],
    versionFact(migrations.failed),
    refused.length === 0 ? null : ['refused tables', refused.join(', ')],
  ]
  return [
    ['phase', ready ? phase : `${phase}, not ready`],
    ['lsn', lsn === null ? 'none' : formatPgLsn(lsn)],
    ['head', head === null ? 'not heard' : formatPgLsn(head)],
    ['behind', behind],
    ['epoch', epoch ?? 'none'],
    ['audiences', audiences.join(', ') || 'none'],
    ['rows', String(rows)],
    ['definition', migrations.version === null ? 'none' : String(migrations.version)],
    ['migrations', versionsFact(migrations)],
    ['tables that wait', migrations.waiting.join(', ') || 'none'],
    ['outbox', `${pending} pending, ${failed} failed`],
    ...(tabs ? [['tabs', `${tabs.role} of ${tabs.count}`] as const] : []),
    ...faults.filter((fact) => fact !== null),
  ]
}

function versionsFact({ applied, pending }: MigrationsStatus): string {
  const came = applied.length > 0 && `applied ${applied.join(', ')}`
  const comes = pending.length > 0 && `pending ${pending.join(', ')}`
  return [came, comes].filter(Boolean).join('; ') || 'none since it was opened'
}

function versionFact(failed: FailedMigration | null): Fact | null {
  if (failed === null) return null
  const tries = failed.retries === 1 ? '1 retry' : `${failed.retries} retries`
  return [`version ${failed.version}`, `not taken after ${tries}: ${failed.error}`]
}

/** Words a live query's runs: how often, the last one and the mean, in ms, and by what it runs again. */
export function queryFacts({
  runs,
  lastMs,
  totalMs,
  rows,
  tables,
  keys,
  runsAlways,
  state,
  clients,
}: LiveQueryDescription) {
  const mean = runs === 0 ? 0 : totalMs / runs
  return {
    runs: `${runs} × ${mean.toFixed(1)} ms, last ${lastMs.toFixed(1)} ms`,
    reads: runsAlways ? 'each commit' : [tables.join(', '), keys.join(', ')].filter(Boolean).join(' by '),
    shown: `${rows} rows, ${clients === 1 ? '1 reader' : `${clients} readers`}${state === 'open' ? '' : `, ${state}`}`,
  }
}

/** Words what a mutation does: its action, or the tables that it writes. */
export function mutationFacts({ action, writes }: Pick<SeenMutation, 'action' | 'writes'>): string {
  if (action) return `${action.name}()`
  const counts = new Map<string, number>()
  for (const { op, table } of writes) {
    const what = `${op} ${table.replace(/^public\./, '')}`
    counts.set(what, (counts.get(what) ?? 0) + 1)
  }
  return [...counts].map(([what, count]) => (count > 1 ? `${what} ×${count}` : what)).join(', ') || 'patch'
}

/** Words how long a mutation took to each state that this page has seen it in. */
export function mutationTimes({ at, seenAt }: Pick<SeenMutation, 'at' | 'seenAt'>): string {
  const madeMs = Date.parse(at)
  return (['sent', 'confirmed', 'failed'] as const)
    .flatMap((status) => {
      const seenMs = seenAt[status]
      return seenMs === undefined ? [] : [`${status} ${duration(seenMs - madeMs)}`]
    })
    .join(' · ')
}

const duration = (ms: number) => (ms < 1_000 ? `+${Math.max(0, ms)} ms` : `+${(ms / 1_000).toFixed(1)} s`)
