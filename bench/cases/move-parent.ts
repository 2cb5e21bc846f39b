import { openReplica, type Replica } from '../../client/index.ts'
import { sync } from '../../testing/audiences/path-app.ts'
import { PATH_MIGRATIONS } from '../../testing/audiences/path-schema.ts'
import { type System, startSystem } from '../../testing/system/start-system.ts'
import { until } from '../../testing/system/until.ts'
import { withDatabase } from '../../workers/database/index.ts'
import { directUrl } from '../bench-system.ts'
import { type Figure, figure, median, timed } from '../measure.ts'

const CHILDREN = 10_000
const ROUNDS = 4

/** Starts an app whose comments take their audience from their issue, and that from its project. */
export function startPathSystem(): Promise<System> {
  return startSystem({
    app: {
      sync,
      syncModule: new URL('../../testing/audiences/path-app.ts', import.meta.url),
      migrations: PATH_MIGRATIONS,
    },
    proxyAside: true,
    workerOptions: { decoder: 'pgoutput' },
    seed: (env) =>
      withDatabase(env, async ({ query }) => {
        await query(`INSERT INTO public.project VALUES (1, 'a', 'A'), (2, 'b', 'B')`)
        await query(`INSERT INTO public.issue VALUES (1, 1, 'moved', NULL)`)
        await query(
          `INSERT INTO public.comment SELECT n, 1, 'comment ' || md5(n::text) FROM generate_series(1, $1::int) n`,
          [CHILDREN],
        )
        // The same rows with an audience of their own, and nothing that keeps it.
        await query(`CREATE TABLE public.plain AS SELECT id, issue_id, body, 'a'::text AS org FROM public.comment`)
        await query('ALTER TABLE public.plain ADD PRIMARY KEY (id), REPLICA IDENTITY FULL')
        await query('CREATE INDEX ON public.plain (issue_id)')
        await query('CREATE INDEX ON public.plain (org, issue_id)')
      }),
  })
}

/** Moves an issue with all its comments from one project to the other, between two replicas, and back. */
export async function moveParent(system: System): Promise<Figure[]> {
  const database = await system.openDatabase()
  const replicas = await Promise.all(['a', 'b'].map((org) => open(system, org)))
  const moves: number[] = []
  const plain: number[] = []
  const lost: number[] = []
  const gained: number[] = []
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const to = round % 2 === 0 ? 2 : 1
      const org = to === 2 ? 'b' : 'a'
      const other = await timed(() => database.query(`UPDATE public.plain SET org = $1 WHERE issue_id = 1`, [org]))
      plain.push(other.elapsedMs)
      const begun = performance.now()
      const move = await timed(() => database.query('UPDATE public.issue SET project_id = $1::int WHERE id = 1', [to]))
      moves.push(move.elapsedMs)
      const [from, into] = to === 2 ? replicas : replicas.toReversed()
      const ended = async (replica: Replica<typeof sync> | undefined, rows: number) => {
        await until(async () => replica !== undefined && (await countOf(replica)) === rows)
        return performance.now() - begun
      }
      const [lostMs, gainedMs] = await Promise.all([ended(from, 0), ended(into, CHILDREN)])
      lost.push(lostMs)
      gained.push(gainedMs)
    }
  } finally {
    for (const replica of replicas) await replica.close()
    await database.close()
  }
  const what = `an issue with ${CHILDREN.toLocaleString('en')} comments that take their audience from it moves to another organisation`
  return [
    figure('audience.move.ms', median(moves), 'ms', null, `the statement by itself: ${what}`),
    figure(
      'audience.move.plain',
      median(plain),
      'ms',
      null,
      `as many rows with an audience of their own in one statement`,
    ),
    figure('audience.move.lost', median(lost), 'ms', null, `until the replica that loses them shows none: ${what}`),
    figure('audience.move.gained', median(gained), 'ms', null, `until the replica that gains them shows all: ${what}`),
  ]
}

async function open(system: System, org: string): Promise<Replica<typeof sync>> {
  const user = `of-${org}`
  const token = () => system.token({ userId: user, audiences: [`org:${org}`] })
  const replica = await openReplica({ url: directUrl(system), user, token, sync, storage: 'memory://' })
  await replica.ready
  await replica.settled()
  return replica
}

async function countOf({ db }: Replica<typeof sync>): Promise<number> {
  const { rows } = await db.query<{ found: number }>('SELECT count(*)::int AS found FROM comment')
  return rows[0]?.found ?? 0
}
