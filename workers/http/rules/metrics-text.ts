import type { ReplicationHealth } from '../../contracts.ts'

/** The text format of Prometheus, version 0.0.4. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

type Labels = Readonly<Record<string, string>>

interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  /** Values with their labels; one that is null is left out. */
  readonly values: readonly (readonly [number | null, Labels?])[]
}

const VERDICTS = { ok: 0, warn: 1, fail: 2 } as const
const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1_000)

/** Counts by a label whose values are of a fixed list: kinds of errors and of rejections. */
const byKind = (label: string, counts: Readonly<Record<string, number>>) =>
  Object.entries(counts).map(([kind, count]) => [count, { [label]: kind }] as const)

/**
 * Writes the figures of health as Prometheus reads them. Labels are names of checks, kinds and versions of the schema, so that
 * there are few: no client, user, audience or SyncDO is one.
 */
export function metricsText(health: ReplicationHealth): string {
  return metricsOf(health).map(textOf).join('')
}

function metricsOf({ status, checks, figures }: ReplicationHealth): Metric[] {
  const gauge = (name: string, help: string, value: number | null): Metric => ({
    name,
    type: 'gauge',
    help,
    values: [[value]],
  })
  const counter = (name: string, help: string, values: Metric['values']): Metric => ({
    name,
    type: 'counter',
    help,
    values,
  })
  const { builds } = figures
  const clients = new Map<number, { count: number; waiting: number; failing: number }>()
  for (const { version, count, waiting, failing } of figures.clients) {
    const known = clients.get(version) ?? { count: 0, waiting: 0, failing: 0 }
    const sum = {
      count: known.count + count,
      waiting: known.waiting + waiting,
      failing: known.failing + failing,
    }
    clients.set(version, sum)
  }
  const ofClients = (name: string, help: string, of: 'count' | 'waiting' | 'failing'): Metric => ({
    name,
    type: 'gauge',
    help,
    values: [...clients].map(([version, counts]) => [counts[of], { version: String(version) }]),
  })
  return [
    gauge('tidemark_health', 'The verdict of all checks: 0 ok, 1 warn, 2 fail.', VERDICTS[status]),
    {
      name: 'tidemark_check',
      type: 'gauge',
      help: 'The verdict of each check: 0 ok, 1 warn, 2 fail.',
      values: checks.map((check) => [VERDICTS[check.status], { check: check.name }]),
    },
    gauge('tidemark_started_seconds', 'Time since which is counted, in seconds since 1970.', seconds(figures.sinceMs)),
    counter('tidemark_captured_transactions_total', 'Transactions stored in history.', [[figures.transactions]]),
    counter('tidemark_captured_rows_total', 'Rows stored in history.', [[figures.rows]]),
    gauge(
      'tidemark_stored_lag_seconds',
      'Longest time from a commit to its storing, within five minutes.',
      seconds(figures.storedLagMs),
    ),
    gauge(
      'tidemark_delivered_lag_seconds',
      'Longest time from a commit to its acknowledgement by a SyncDO, within five minutes.',
      seconds(figures.deliveredLagMs),
    ),
    gauge(
      'tidemark_busy_seconds',
      'Time for which capture has not come to the end of the log.',
      seconds(figures.busyMs),
    ),
    gauge('tidemark_failed_cycles', 'Runs of capture in a row that failed.', figures.failedCycles),
    gauge('tidemark_retained_wal_bytes', 'Log that the slot holds back.', figures.retainedWalBytes),
    gauge('tidemark_safe_wal_bytes', 'Log that it may hold back yet before it is dropped.', figures.safeWalBytes),
    gauge(
      'tidemark_oldest_write_seconds',
      'Age of the oldest open transaction that has written.',
      seconds(figures.oldestWriteMs),
    ),
    gauge('tidemark_subscribers', 'SyncDOs that subscribe.', figures.subscribers),
    gauge('tidemark_subscribers_behind', 'SyncDOs that owe an acknowledgement.', figures.subscribersBehind),
    gauge(
      'tidemark_longest_behind_seconds',
      'Time for which one of them has owed it.',
      seconds(figures.longestBehindMs),
    ),
    counter('tidemark_mutations_total', 'Decided mutations, by outcome.', byKind('outcome', figures.mutations)),
    counter('tidemark_push_faults_total', 'Pushes that failed as a whole, by kind.', byKind('kind', figures.faults)),
    gauge('tidemark_stuck_mutations', 'Mutations tried and not decided.', figures.stuckMutations),
    counter('tidemark_snapshot_builds_total', 'Snapshots built, or not.', [
      [builds.done, { outcome: 'done' }],
      [builds.failed, { outcome: 'failed' }],
    ]),
    counter('tidemark_snapshot_build_seconds_total', 'Time that builds took.', [[seconds(builds.totalMs)]]),
    {
      name: 'tidemark_consumer_lag_seconds',
      type: 'gauge',
      help: 'Time for which the next change of a consumer of all changes has waited.',
      values: figures.consumers.map(({ name, lagMs }) => [seconds(lagMs), { consumer: name }]),
    },
    gauge(
      'tidemark_consumers_lost',
      'Consumers for which changes are gone that they had not handled.',
      figures.consumers.filter(({ isLost }) => isLost).length,
    ),
    gauge('tidemark_late_clients', 'Connected clients whose work has waited for a minute.', figures.unsent.lateClients),
    gauge('tidemark_oldest_unsent_seconds', 'Age of the oldest of it.', seconds(figures.unsent.oldestMs)),
    gauge(
      'tidemark_refused_clients',
      'Connected clients with mutations that were refused.',
      figures.unsent.failedClients,
    ),
    ofClients('tidemark_clients', 'Clients heard of within 30 days, by the version that they hold.', 'count'),
    ofClients('tidemark_clients_waiting', 'Those that wait for tables to be loaded.', 'waiting'),
    ofClients('tidemark_clients_failing', 'Those that could not take the version.', 'failing'),
  ]
}

const escaped = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

function textOf({ name, type, help, values }: Metric): string {
  const known = values.filter(([value]) => value !== null)
  if (known.length === 0) return ''
  const lines = known.map(([value, labels = {}]) => {
    const given = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
    return `${name}${given.length > 0 ? `{${given.join()}}` : ''} ${value}\n`
  })
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}
