import type { System } from '../testing/system/start-system.ts'
import { type Decoder, HYDRATE_ROWS, startBenchSystem } from './bench-system.ts'
import { CAPTURE_POLL_MS, captureBulk, captureLarge, captureSingle } from './cases/capture.ts'
import { fanoutLast, fanoutSteady, reconnectStorm } from './cases/fanout.ts'
import { hydrateNode } from './cases/hydrate.ts'
import { catchupFromLog, latency } from './cases/replica.ts'
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
  start: () => startBenchSystem(decoder, { pollMs: CAPTURE_POLL_MS }),
  cases: [
    { id: `capture.single.${decoder}`, run: (system) => captureSingle(system, decoder) },
    { id: `capture.bulk.${decoder}`, run: (system) => captureBulk(system, decoder) },
    { id: `capture.large_tx.${decoder}`, run: (system) => captureLarge(system, decoder) },
  ],
})

export const STANDS: readonly Stand[] = [
  {
    name: 'as deployed: default options, pgoutput',
    start: () => startBenchSystem('pgoutput', { largeRows: HYDRATE_ROWS }),
    cases: [
      { id: 'hydrate', run: hydrateNode },
      { id: 'latency', run: latency },
      { id: 'catchup', run: catchupFromLog },
      { id: 'fanout.1', run: (system) => fanoutLast(system, 1) },
      { id: 'fanout.100', run: (system) => fanoutLast(system, 100) },
      { id: 'fanout.steady', run: fanoutSteady },
      { id: 'fanout.1000', run: (system) => fanoutLast(system, 1_000) },
      { id: 'reconnect', run: reconnectStorm },
      { id: 'memory', run: memory },
    ],
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
