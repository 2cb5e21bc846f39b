import { PGlite } from '@electric-sql/pglite'
import { live } from '@electric-sql/pglite/live'
import { openReplicaOn } from '../../client/open-replica.ts'
import type { Database } from '../../client/store/database.ts'
import { startParams } from '../../client/store/start-options.ts'
import type { System } from '../../testing/system/start-system.ts'
import { type BareLoad, bareLoadOf, loadBare } from '../bare-load.ts'
import { directUrl, HYDRATE_ROWS, LARGE_ORG, sync, tokenFor } from '../bench-system.ts'
import { type Figure, figure, median, timed } from '../measure.ts'

const ROUNDS = 3

const openTuned = (): Promise<Database> => PGlite.create({ startParams: startParams(PGlite), extensions: { live } })

interface Hydrated {
  readonly elapsedMs: number
  readonly firstRowMs: number
  readonly bare: BareLoad
}

async function hydrateOnce(system: System): Promise<Hydrated> {
  const db = await openTuned()
  const userId = 'bench'
  let firstRowMs = Number.NaN
  const start = performance.now()
  const { elapsedMs, result: replica } = await timed(async () => {
    const opened = await openReplicaOn(
      {
        url: directUrl(system),
        user: userId,
        token: () => tokenFor(system, LARGE_ORG, userId),
        sync,
        storage: 'memory://',
      },
      async () => db,
    )
    opened.subscribe(({ hydration }) => {
      if (hydration && hydration.rows > 0 && Number.isNaN(firstRowMs)) firstRowMs = performance.now() - start
    })
    await opened.ready
    return opened
  })
  const bare = await bareLoadOf(db, 'public.issue')
  if (bare.rows !== HYDRATE_ROWS) throw new Error(`The replica holds ${bare.rows} issues.`)
  await replica.close()
  return { elapsedMs, firstRowMs, bare }
}

async function timeBare(db: Database, load: BareLoad): Promise<number> {
  const { elapsedMs } = await timed(() => loadBare(db, load))
  await db.close()
  return elapsedMs
}

/** Lets replica and bare load take turns, so that other work of the machine falls on both. */
export async function hydrateNode(system: System): Promise<Figure[]> {
  const first = await hydrateOnce(system)
  const ours: number[] = []
  const firstRows: number[] = []
  const bare: number[] = []
  const tuned: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const { elapsedMs, firstRowMs } = await hydrateOnce(system)
    ours.push(elapsedMs)
    firstRows.push(firstRowMs)
    bare.push(await timeBare(await PGlite.create({ extensions: { live } }), first.bare))
    tuned.push(await timeBare(await openTuned(), first.bare))
  }
  const perSecond = (elapsedMs: number) => HYDRATE_ROWS / (elapsedMs / 1000)
  const rows = `${HYDRATE_ROWS} issues, ${Math.round(first.bare.text.size / 2 ** 20)} MiB of COPY text, into memory`
  return [
    figure(
      'hydrate.node.ratio',
      median(bare) / median(ours),
      '×',
      { atLeast: 0.8 },
      `of the rate of one COPY into bare PGlite as it comes, with the same key and indexes; medians of ${ROUNDS}, taking turns`,
    ),
    figure(
      'hydrate.node.rows_per_s',
      perSecond(median(ours)),
      'rows/s',
      null,
      `${rows}; from opening on a started PGlite to ready, the snapshot is there`,
    ),
    figure('hydrate.bare.rows_per_s', perSecond(median(bare)), 'rows/s', null, `${rows}; bare PGlite`),
    figure(
      'hydrate.bare_tuned.rows_per_s',
      perSecond(median(tuned)),
      'rows/s',
      null,
      `${rows}; bare PGlite, started as a replica starts it`,
    ),
    figure('hydrate.first_row_ms', median(firstRows), 'ms', null, 'from opening to the first rows'),
    figure(
      'hydrate.first.rows_per_s',
      perSecond(first.elapsedMs),
      'rows/s',
      null,
      `${rows}; the snapshot is built for it`,
    ),
  ]
}
