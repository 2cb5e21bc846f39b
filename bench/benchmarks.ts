import type { System } from '../testing/system/start-system.ts'
import { type Decoder, HYDRATE_ROWS, startBenchSystem } from './bench-system.ts'
import { CAPTURE_POLL_MS, captureBulk, captureLarge, captureSingle } from './cases/capture.ts'
import { envelopeNode } from './cases/envelope.ts'
import { fanoutLast, fanoutSteady, reconnectStorm } from './cases/fanout.ts'
import { hydrateNode } from './cases/hydrate.ts'
import { hydrateBrowser } from './cases/hydrate-browser.ts'
import { idleAlone, idleClients } from './cases/idle.ts'
import { liveQueries } from './cases/live.ts'
import { mainThread } from './cases/main-thread.ts'
import { mainThreadOfTracker } from './cases/main-thread-tracker.ts'
import { migrateAddColumn, migrateRetype } from './cases/migrate.ts'
import { migrateReplicas } from './cases/migrate-replicas.ts'
import { moveParent, startPathSystem } from './cases/move-parent.ts'
import { openAgainInBrowser } from './cases/open-again.ts'
import { openFirstInBrowser, openFirstInNode } from './cases/open-first.ts'
import { rebase } from './cases/rebase.ts'
import { catchupFromLog, catchupFromPostgres, type LatencyPlan, latency } from './cases/replica.ts'
import { tabsQuery, tabsTakeover } from './cases/tabs.ts'
import { trackerFirstRow } from './cases/tracker-first-row.ts'
import { actionLatency, localWrite, pushDrain, pushFromMany, startWriteSystem } from './cases/write.ts'
import { liveQueriesInBrowser, localWriteInBrowser } from './cases/write-browser.ts'
import { type Figure, figure } from './measure.ts'
import { memoryMb } from './processes.ts'

/** Measures one thing and leaves the system idle. */
export interface Case {
  readonly id: string
  readonly run: (system: System) => Promise<Figure[]>
}

/** Cases that share one running system, in the order in which they run. */
export interface Stand {
  readonly name: string
  readonly start: () => Promise<System>
  readonly cases: readonly Case[]
}

const captureStand = (decoder: Decoder): Stand => ({
  name: `capture by ${decoder}`,
  start: () => startBenchSystem(decoder, { workerOptions: { intervals: { activeMs: CAPTURE_POLL_MS }, watch: false } }),
  cases: [
    { id: `capture.single.${decoder}`, run: (system) => captureSingle(system, decoder) },
    { id: `capture.bulk.${decoder}`, run: (system) => captureBulk(system, decoder) },
    { id: `capture.large_tx.${decoder}`, run: (system) => captureLarge(system, decoder) },
  ],
})

const NO_TARGETS = { p50: null, p99: null }
const AT_20: LatencyPlan = {
  id: 'latency.psql',
  updates: 200,
  perSecond: 20,
  targets: { p50: { atMost: 12 }, p99: { atMost: 40 } },
  note: '; watch mode',
}
const AT_500: LatencyPlan = { ...AT_20, id: 'latency.busy', updates: 2_500, perSecond: 500, targets: NO_TARGETS }
const POLLING: LatencyPlan = {
  ...AT_20,
  id: 'latency.polling',
  targets: NO_TARGETS,
  note: '; plain polling, once a second',
}
/** The characters of a log that holds next to nothing, so that a replica behind it reads everything from history. */
const NO_LOG_CHARS = 1_000

export const STANDS: readonly Stand[] = [
  {
    name: 'as deployed: default options, pgoutput',
    start: () => startBenchSystem('pgoutput'),
    cases: [
      { id: 'latency.psql', run: (system) => latency(system, AT_20) },
      { id: 'latency.busy', run: (system) => latency(system, AT_500) },
      { id: 'catchup.log', run: catchupFromLog },
      { id: 'fanout.1', run: (system) => fanoutLast(system, 1) },
      { id: 'fanout.100', run: (system) => fanoutLast(system, 100) },
      { id: 'fanout.steady', run: fanoutSteady },
      { id: 'fanout.1000', run: (system) => fanoutLast(system, 1_000) },
      { id: 'fanout.4000', run: (system) => fanoutLast(system, 4_000) },
      { id: 'memory', run: memory },
    ],
  },
  {
    // This comes after the stand that measures delays, because loaded rows stay in this process's memory for a while.
    name: 'as deployed, with a large organisation, pgoutput',
    start: () => startBenchSystem('pgoutput', { largeRows: HYDRATE_ROWS, workerOptions: { cors: { origins: '*' } } }),
    cases: [
      { id: 'open.first.node', run: openFirstInNode },
      { id: 'open.first.browser', run: openFirstInBrowser },
      { id: 'tracker.first_row', run: trackerFirstRow },
      { id: 'open.again.browser', run: openAgainInBrowser },
      { id: 'tabs.takeover', run: tabsTakeover },
      { id: 'tabs.query', run: tabsQuery },
      { id: 'hydrate.node', run: hydrateNode },
      { id: 'hydrate.browser', run: hydrateBrowser },
      { id: 'main_thread', run: mainThread },
      { id: 'main_thread.tracker', run: mainThreadOfTracker },
      { id: 'envelope.node', run: envelopeNode },
      { id: 'migration.add_column', run: migrateAddColumn },
      { id: 'migration.retype', run: migrateRetype },
      { id: 'migration.replicas', run: migrateReplicas },
    ],
  },
  {
    // In watch mode, the wait inside Postgres commits each millisecond, and these are counted whenever it ends.
    name: 'plain polling, pgoutput',
    start: () => startBenchSystem('pgoutput', { workerOptions: { watch: false } }),
    cases: [{ id: 'reconnect', run: reconnectStorm }],
  },
  {
    name: 'plain polling and no log to speak of, pgoutput',
    start: () => startBenchSystem('pgoutput', { workerOptions: { watch: false, limits: { logChars: NO_LOG_CHARS } } }),
    cases: [
      { id: 'latency.polling', run: (system) => latency(system, POLLING) },
      { id: 'catchup.postgres', run: catchupFromPostgres },
    ],
  },
  {
    name: 'idle, on a fast clock, pgoutput',
    start: () =>
      startBenchSystem('pgoutput', {
        instrument: new URL('../testing/workerd/instrument.ts', import.meta.url),
        postgresSettings: { autovacuum: 'off' },
      }),
    cases: [
      { id: 'idle.alone', run: idleAlone },
      { id: 'idle.100', run: idleClients },
    ],
  },
  {
    name: 'writing, pgoutput',
    start: startWriteSystem,
    cases: [
      { id: 'write.local', run: localWrite },
      { id: 'write.local.browser', run: localWriteInBrowser },
      { id: 'action', run: actionLatency },
      { id: 'push.drain', run: pushDrain },
      { id: 'push.50_clients', run: pushFromMany },
      { id: 'rebase', run: rebase },
      { id: 'live', run: liveQueries },
      { id: 'live.browser', run: liveQueriesInBrowser },
    ],
  },
  {
    name: 'audiences by path, pgoutput',
    start: startPathSystem,
    cases: [{ id: 'audience.move', run: moveParent }],
  },
  captureStand('pgoutput'),
  captureStand('wal2json'),
]

async function memory(): Promise<Figure[]> {
  const detail = 'after the cases before it, proportional set size'
  return [
    figure('memory.workerd_mb', memoryMb('workerd'), 'MB', null, `the runtime with all Durable Objects, ${detail}`),
    figure('memory.postgres_mb', memoryMb('postgres'), 'MB', null, `all processes of Postgres, ${detail}`),
  ]
}
