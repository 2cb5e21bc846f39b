import { randomUUID } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import { live } from '@electric-sql/pglite/live'
import type { Replica } from '../../client/index.ts'
import type { System } from '../../testing/system/start-system.ts'
import { ORGS } from '../../testing/writing-oracle/plan-writing.ts'
import { bareLoadOf, loadBare } from '../bare-load.ts'
import { type LiveDatabase, liveUpdateDelays } from '../live-update-delays.ts'
import { type Figure, figure, median } from '../measure.ts'
import { openWriter } from './write.ts'

const [ORG] = ORGS
/** The numbers of live queries that are open. */
export const OPEN = [1, 10, 50] as const
export const MOST = OPEN[2]
const ROUNDS = 5
const UPDATES = 40

/** Adds tasks, one for each live query, and answers their ids. */
export async function insertWatched(system: System): Promise<string[]> {
  const database = await system.openDatabase()
  const [list] = await database.query('SELECT id::text AS id FROM public.list WHERE org_id = $1 LIMIT 1', [ORG])
  const ids = Array.from({ length: MOST }, () => randomUUID())
  await database.query(
    `INSERT INTO public.task (id, org_id, list_id, title)
     SELECT id, $1::text::uuid, $2::text::uuid, 'watched' FROM json_array_elements_text($3::json) AS x(text), CAST(text AS uuid) AS id`,
    [ORG, list?.id ?? '', JSON.stringify(ids)],
  )
  await database.close()
  return ids
}

/**
 * Measures an update of one row with 1, 10 and 50 live queries open, each by the key of another row: from the call to the
 * callback that shows it and a statement after it, and beside it on bare PGlite with its own extension.
 */
export async function liveQueries(system: System): Promise<Figure[]> {
  const ids = await insertWatched(system)
  const replica = await openWriter(system, 'bench-live')
  // What comes back from the server would run the queries too.
  replica.goOffline()
  const bare = await openBare(replica)
  const ours = new Map<number, number[]>(OPEN.map((open) => [open, []]))
  const theirs = new Map<number, number[]>(OPEN.map((open) => [open, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const open of OPEN) {
      ours.get(open)?.push(...(await liveUpdateDelays(replica.db, ids.slice(0, open), UPDATES)))
      theirs.get(open)?.push(...(await liveUpdateDelays(bare, ids.slice(0, open), UPDATES)))
    }
  }
  await bare.close()
  await replica.close()
  const figuresOf = (name: string, delays: ReadonlyMap<number, number[]>, detail: string) =>
    OPEN.map((open) =>
      figure(`${name}_${open}_ms`, median(delays.get(open) ?? []), 'ms', null, `with ${open} open, ${detail}`),
    )
  const ratio = median(ours.get(MOST) ?? []) / median(ours.get(1) ?? [])
  const what = `an update of one row until its live query shows it and a statement after it is answered, median of ${ROUNDS * UPDATES}`
  return [
    ...figuresOf('live.update', ours, what),
    ...figuresOf('live.bare', theirs, `the same on bare PGlite with its own live queries`),
    figure(
      'live.ratio',
      ratio,
      '×',
      { atMost: 1.2 },
      `${MOST} open live queries, of which one is touched, against one`,
    ),
  ]
}

async function openBare(replica: Replica): Promise<LiveDatabase & { close(): Promise<void> }> {
  const db = await PGlite.create({ extensions: { live } })
  await loadBare(db, await bareLoadOf(replica.db, 'public.task'))
  return db
}
