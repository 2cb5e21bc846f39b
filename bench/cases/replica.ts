import { setTimeout as wait } from 'node:timers/promises'
import { openReplica, type Replica } from '../../client/index.ts'
import { parsePgLsn } from '../../protocol/index.ts'
import type { System } from '../../testing/system/start-system.ts'
import type { Database } from '../../workers/database/index.ts'
import { captureAll, directUrl, SMALL_ORG, sync, tokenFor } from '../bench-system.ts'
import { type Figure, figure, percentile, timed } from '../measure.ts'
import { openSocketFleet } from '../socket-fleet.ts'

const UPDATES = 200
const UPDATE_PAUSE_MS = 50
const BEHIND = 10_000

async function openBenchReplica(system: System): Promise<Replica> {
  const replica = await openReplica({
    url: directUrl(system),
    user: 'bench',
    token: () => tokenFor(system, SMALL_ORG, 'bench'),
    sync,
    storage: 'memory://',
  })
  await replica.ready
  await replica.settled()
  return replica
}

async function someIssue(database: Database): Promise<string> {
  const [row] = await database.query('SELECT min(id::text) AS id FROM public.issue WHERE org_id = $1::text::uuid', [
    SMALL_ORG,
  ])
  if (typeof row?.id !== 'string') throw new Error('There is no issue.')
  return row.id
}

export async function latency(system: System): Promise<Figure[]> {
  const replica = await openBenchReplica(system)
  const database = await system.openDatabase()
  const id = await someIssue(database)
  const committedMs: number[] = []
  const delaysMs: number[] = []
  let lsn = replica.status.lsn
  let done: () => void = () => {}
  const allSeen = new Promise<void>((resolve) => {
    done = resolve
  })
  const look = async () => {
    const { rows } = await replica.db.query<{ title: string }>('SELECT title FROM public.issue WHERE id = $1', [id])
    const seen = Number(/^update (\d+)$/.exec(rows[0]?.title ?? '')?.[1] ?? -1)
    const nowMs = performance.now()
    while (delaysMs.length <= seen) delaysMs.push(nowMs - (committedMs[delaysMs.length] ?? nowMs))
    if (delaysMs.length === UPDATES) done()
  }
  const unsubscribe = replica.subscribe((status) => {
    if (status.lsn === lsn) return
    lsn = status.lsn
    void look()
  })
  for (let update = 0; update < UPDATES; update++) {
    await database.query('UPDATE public.issue SET title = $1 WHERE id = $2::text::uuid', [`update ${update}`, id])
    // Before any row can have come by way of the replica: its event is a later turn of this same loop.
    committedMs.push(performance.now())
    await wait(UPDATE_PAUSE_MS)
  }
  await allSeen
  unsubscribe()
  await replica.close()
  await database.close()
  const detail = `${UPDATES} commits of another client about ${UPDATE_PAUSE_MS} ms apart, each until a query of a Node replica in the same process sees it`
  return [
    figure('latency.psql.p50_ms', percentile(delaysMs, 0.5), 'ms', { atMost: 12 }, detail),
    figure('latency.psql.p99_ms', percentile(delaysMs, 0.99), 'ms', { atMost: 40 }, detail),
  ]
}

/** A socket of the same organisation stays, so that the SyncDO goes on keeping its log. */
export async function catchupFromLog(system: System): Promise<Figure[]> {
  const replica = await openBenchReplica(system)
  const fleet = await openSocketFleet(system, SMALL_ORG, 1)
  const database = await system.openDatabase()
  const id = await someIssue(database)
  replica.goOffline()
  const mark = 'mark-catchup-end'
  const arrived = fleet.arrivals(mark)
  await database.query(
    `DO $$ BEGIN FOR n IN 1..${BEHIND} LOOP
       INSERT INTO public.issue (org_id, project_id, number, title, creator_id)
         SELECT org_id, project_id, 5000000 + n, 'behind ' || n, creator_id FROM public.issue WHERE id = '${id}';
       COMMIT;
     END LOOP; END $$`,
  )
  await database.query('UPDATE public.issue SET title = $1 WHERE id = $2::text::uuid', [mark, id])
  await arrived
  const [position] = await database.query('SELECT head_lsn::text AS head FROM tidemark.epoch WHERE ended_at IS NULL')
  await captureAll(system)
  const scans = async () => {
    await wait(2_000)
    const [row] = await database.query(
      `SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) AS scans FROM pg_stat_user_tables
       WHERE schemaname = 'tidemark' AND relname = 'change_history'`,
    )
    return Number(row?.scans)
  }
  const before = await scans()
  const { elapsedMs } = await timed(async () => {
    replica.goOnline()
    await replica.reached(parsePgLsn(String(position?.head)))
  })
  const after = await scans()
  const { rows } = await replica.db.query<{ title: string }>('SELECT title FROM public.issue WHERE id = $1', [id])
  if (rows[0]?.title !== mark) throw new Error(`The replica has ${rows[0]?.title}.`)
  await replica.close()
  await fleet.close()
  await database.close()
  return [
    figure(
      'catchup.log.per_s',
      BEHIND / (elapsedMs / 1000),
      'changes/s',
      { atLeast: 15_000 },
      `a replica ${BEHIND} one-row transactions (inserts) behind, from going online to having them; scans of history meanwhile: ${after - before}`,
    ),
  ]
}
