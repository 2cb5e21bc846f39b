import { setTimeout as wait } from 'node:timers/promises'
import type { Replica } from '../client/index.ts'
import type { System } from '../testing/system/start-system.ts'
import { BENCH_ORG, captureAll, HYDRATE_ROWS, insertTasks, openBenchReplica } from './bench-system.ts'
import { duration, type Figure, percentile, rate, timed } from './measure.ts'

export interface Benchmark {
  readonly id: string
  run(system: System): Promise<Figure[]>
}

const BULK_ROWS = 100_000
const SINGLE_TRANSACTIONS = 5_000
const LATENCY_WRITES = 100

/** In the order they run; each leaves the system idle. */
export const BENCHMARKS: readonly Benchmark[] = [
  {
    id: 'hydrate',
    async run(system) {
      const figures: Figure[] = []
      for (const [name, detail] of [
        ['first', 'first client: the snapshot is built for it'],
        ['again', 'later client: the snapshot is there'],
      ] as const) {
        const { result: replica, elapsedMs } = await timed(async () => {
          const opened = await openBenchReplica(system)
          await opened.ready
          return opened
        })
        await replica.close()
        figures.push(
          rate(
            `hydrate-${name}`,
            HYDRATE_ROWS,
            elapsedMs,
            'rows/s',
            name === 'again' ? 20_000 : 10_000,
            `${HYDRATE_ROWS} rows of 8 columns into memory, from opening to ready, start of PGlite included; ${detail}`,
          ),
        )
      }
      return figures
    },
  },
  {
    id: 'capture-bulk',
    async run(system) {
      const database = await system.openDatabase()
      await captureAll(system)
      await insertTasks(database, 1_000_000, BULK_ROWS)
      const { elapsedMs } = await timed(() => captureAll(system))
      await database.query('DELETE FROM public.task WHERE number >= 1000000')
      await captureAll(system)
      await database.close()
      return [
        rate(
          'capture-bulk',
          BULK_ROWS,
          elapsedMs,
          'rows/s',
          20_000,
          `one transaction of ${BULK_ROWS} rows, from its commit to its place in history`,
        ),
      ]
    },
  },
  {
    id: 'capture-single',
    async run(system) {
      const database = await system.openDatabase()
      await captureAll(system)
      const { elapsedMs } = await timed(async () => {
        await database.query(
          `DO $$ BEGIN FOR n IN 1..${SINGLE_TRANSACTIONS} LOOP
             INSERT INTO public.task (id, org_id, number, title) VALUES (gen_random_uuid(), '${BENCH_ORG}', 2000000 + n, 'single');
             COMMIT;
           END LOOP; END $$`,
        )
        await captureAll(system)
      })
      await database.query('DELETE FROM public.task WHERE number >= 2000000')
      await captureAll(system)
      await database.close()
      return [
        rate(
          'capture-single',
          SINGLE_TRANSACTIONS,
          elapsedMs,
          'transactions/s',
          1_000,
          `${SINGLE_TRANSACTIONS} transactions of one row, written and captured`,
        ),
      ]
    },
  },
  {
    id: 'latency',
    async run(system) {
      const replica = await openBenchReplica(system)
      await replica.ready
      const database = await system.openDatabase()
      const delaysMs: number[] = []
      for (let number = 0; number < LATENCY_WRITES; number++) {
        const id = crypto.randomUUID()
        const start = performance.now()
        await database.query(`INSERT INTO public.task (id, org_id, number, title) VALUES ($1, $2, $3, 'late')`, [
          id,
          BENCH_ORG,
          3_000_000 + number,
        ])
        await seen(replica, id)
        delaysMs.push(performance.now() - start)
        // Writes fall anywhere within the polling interval.
        await wait((number * 37) % 250)
      }
      await replica.close()
      await database.close()
      const detail = `${LATENCY_WRITES} commits, from sending the INSERT to the row in a connected replica, through the local runtime`
      return [
        duration('latency-p50', percentile(delaysMs, 0.5), 1_000, detail),
        duration('latency-p99', percentile(delaysMs, 0.99), 2_500, detail),
      ]
    },
  },
]

async function seen(replica: Replica, id: string): Promise<void> {
  const found = async () => (await replica.db.query('SELECT FROM public.task WHERE id = $1', [id])).rows.length > 0
  for (;;) {
    let wake: () => void = () => {}
    const changed = new Promise<void>((resolve) => {
      wake = resolve
    })
    const unsubscribe = replica.subscribe(() => wake())
    try {
      if (await found()) return
      await changed
    } finally {
      unsubscribe()
    }
  }
}
