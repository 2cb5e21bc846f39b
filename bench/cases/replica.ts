import { setTimeout as wait } from 'node:timers/promises'
import { openReplica, type Replica } from '../../client/index.ts'
import { parsePgLsn } from '../../protocol/index.ts'
import type { System } from '../../testing/system/start-system.ts'
import type { Database } from '../../workers/database/index.ts'
import { captureAll, directUrl, SMALL_ORG, sync, tokenFor } from '../bench-system.ts'
import { type Figure, figure, percentile, type Target, timed } from '../measure.ts'
import { openSocketFleet } from '../socket-fleet.ts'

const BEHIND = 10_000
/** Statistics of a server process are visible about a second after it went idle. */
const STATISTICS_MS = 2_000

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

export interface LatencyPlan {
  /** The beginning of the figures' names. */
  readonly id: string
  readonly updates: number
  readonly perSecond: number
  readonly targets: { readonly p50: Target; readonly p99: Target }
  readonly note: string
}

export async function latency(
  system: System,
  { id: name, updates, perSecond, targets, note }: LatencyPlan,
): Promise<Figure[]> {
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
    if (delaysMs.length === updates) done()
  }
  const unsubscribe = replica.subscribe((status) => {
    if (status.lsn === lsn) return
    lsn = status.lsn
    void look()
  })
  const begunMs = performance.now()
  for (let update = 0; update < updates; update++) {
    const aheadMs = begunMs + (update * 1_000) / perSecond - performance.now()
    if (aheadMs > 0) await wait(aheadMs)
    await database.query('UPDATE public.issue SET title = $1 WHERE id = $2::text::uuid', [`update ${update}`, id])
    // No row can have come through the replica before this, because its event takes a later turn of this same loop.
    committedMs.push(performance.now())
  }
  const reached = updates / ((performance.now() - begunMs) / 1_000)
  await allSeen
  unsubscribe()
  await replica.close()
  await database.close()
  const detail = `${updates} commits of another client at ${reached.toFixed(0)}/s, each until a query of a Node replica in the same process sees it${note}`
  return [
    figure(`${name}.p50_ms`, percentile(delaysMs, 0.5), 'ms', targets.p50, detail),
    figure(`${name}.p99_ms`, percentile(delaysMs, 0.99), 'ms', targets.p99, detail),
  ]
}

/** Commits `BEHIND` inserts while the replica is away; answers the time to catch up, and scans of history meanwhile. */
async function catchUp(system: System, mark: string): Promise<{ elapsedMs: number; scans: number }> {
  const replica = await openBenchReplica(system)
  // A socket of the same organisation stays, so that the SyncDO goes on keeping its log.
  const fleet = await openSocketFleet(system, SMALL_ORG, 1)
  const database = await system.openDatabase()
  const id = await someIssue(database)
  replica.goOffline()
  const arrived = fleet.arrivals(mark)
  await database.query(
    `DO $$ DECLARE base int := (SELECT max(number) FROM public.issue WHERE org_id = '${SMALL_ORG}'); BEGIN
       FOR n IN 1..${BEHIND} LOOP
         INSERT INTO public.issue (org_id, project_id, number, title, creator_id)
           SELECT org_id, project_id, base + n, 'behind ' || n, creator_id FROM public.issue WHERE id = '${id}';
         COMMIT;
       END LOOP; END $$`,
  )
  await database.query('UPDATE public.issue SET title = $1 WHERE id = $2::text::uuid', [mark, id])
  await arrived
  const [position] = await database.query('SELECT head_lsn::text AS head FROM tidemark.epoch WHERE ended_at IS NULL')
  await captureAll(system)
  const scans = async () => {
    await wait(STATISTICS_MS)
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
  return { elapsedMs, scans: after - before }
}

const BEHIND_DETAIL = `a replica ${BEHIND} one-row transactions (inserts) behind, from going online to having them`

export async function catchupFromLog(system: System): Promise<Figure[]> {
  const { elapsedMs, scans } = await catchUp(system, 'mark-catchup-log-end')
  const detail = `${BEHIND_DETAIL}; scans of history meanwhile: ${scans}`
  return [figure('catchup.log.per_s', BEHIND / (elapsedMs / 1000), 'changes/s', { atLeast: 15_000 }, detail)]
}

/** Measures catching up on a system whose SyncDO keeps no log to speak of. */
export async function catchupFromPostgres(system: System): Promise<Figure[]> {
  const { elapsedMs, scans } = await catchUp(system, 'mark-catchup-postgres-end')
  const detail = `${BEHIND_DETAIL}, read from history (${scans} scans) because the log is too short`
  return [figure('catchup.postgres.per_s', BEHIND / (elapsedMs / 1000), 'changes/s', null, detail)]
}
