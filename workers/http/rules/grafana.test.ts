import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { ReplicationHealth } from '../../health-contract.ts'
import { metricsText } from './metrics-text.ts'

const FOLDER = 'docs/grafana'

/** Health in which every figure is known, so that every metric is told. */
const health: ReplicationHealth = {
  status: 'warn',
  epoch: null,
  head: null,
  decoder: null,
  decoderReason: null,
  lastCycleAt: null,
  checks: [{ name: 'error', status: 'ok', value: null, threshold: null, unit: null, message: '' }],
  figures: {
    sinceMs: 1,
    transactions: 1,
    rows: 1,
    mutations: { committed: 1 },
    faults: { unavailable: 1 },
    builds: { done: 1, failed: 1, totalMs: 1, lastFault: null },
    storedLagMs: 1,
    deliveredLagMs: 1,
    busyMs: 1,
    retainedWalBytes: 1,
    safeWalBytes: 1,
    oldestWriteMs: 1,
    restartLsn: null,
    oldestWrite: null,
    consumers: [{ name: 'search', isLost: false, lagMs: 1 }],
    stuckMutations: 1,
    failedCycles: 1,
    subscribers: 1,
    subscribersBehind: 1,
    longestBehindMs: 1,
    unsent: { lateClients: 1, oldestMs: 1, failedClients: 1 },
    clients: [{ version: 1, migration: null, count: 1, waiting: 1, failing: 1 }],
    minutes: [],
  },
}
const text = metricsText(health)
/** The type of each metric, and the labels that it carries; Prometheus itself adds `job`. */
const types = new Map([...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => [name, type]))
const labelsOf = (metric: string) =>
  ['job'].concat([...text.matchAll(new RegExp(`^${metric}\\{(\\w+)=`, 'gm'))].map(([, label = '']) => label))

interface Dashboard {
  readonly uid: string
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[]
}
const dashboards = readdirSync(FOLDER).map((name): readonly [string, Dashboard] => [
  name,
  JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')),
])
const queries = dashboards.flatMap(([name, { panels }]) =>
  panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [name, title, expr] as const)),
)

test.each(queries)('OPS-R13 OPS-02 %s, %s asks for what /metrics tells: %s', (_name, _title, expr) => {
  const asked = [...expr.matchAll(/(tidemark_\w+)\{([^}]*)\}(\[)?/g)]
  expect(asked.length).toBeGreaterThan(0)
  expect(expr.match(/tidemark_/g)).toHaveLength(asked.length)
  for (const [, metric = '', matchers = '', range] of asked) {
    expect(types.has(metric), metric).toBe(true)
    // A rate is one of a counter, and a counter is looked at by its rate.
    expect([metric, range !== undefined]).toEqual([metric, types.get(metric) === 'counter'])
    for (const [, label = ''] of matchers.matchAll(/(\w+)=~?/g)) expect(labelsOf(metric)).toContain(label)
    const by = /by \((\w+)\)/.exec(expr)?.[1]
    if (by !== undefined) expect(labelsOf(metric)).toContain(by)
  }
})

test('OPS-R5 OPS-R19 each consumer is told with its lag, and how many have lost changes', () => {
  const consumers = [
    { name: 'search', isLost: true, lagMs: 9_500 },
    { name: 'mail', isLost: false, lagMs: 0 },
  ]
  const told = metricsText({ ...health, figures: { ...health.figures, consumers } })
  expect(told).toContain('tidemark_consumer_lag_seconds{consumer="search"} 9.5\n')
  expect(told).toContain('tidemark_consumer_lag_seconds{consumer="mail"} 0\n')
  expect(told).toContain('tidemark_consumers_lost 1\n')
})

test('OPS-R13 the dashboards show every metric but the time at which counts began', () => {
  const shown = new Set(queries.flatMap(([, , expr]) => expr.match(/tidemark_\w+/g) ?? []))
  expect([...types.keys()].filter((name) => !shown.has(name))).toEqual(['tidemark_started_seconds'])
  expect(new Set(dashboards.map(([, { uid }]) => uid)).size).toBe(dashboards.length)
})
