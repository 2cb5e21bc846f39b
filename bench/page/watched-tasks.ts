import { openReplica } from '../../dist/client/index.js'
import { sync } from '../../examples/tracker/sync.ts'
import { type ObservedWindow, observeTasks } from '../observe-tasks.ts'

/** Issues that are written by one mutation each. */
const MUTATED = 'SELECT id FROM public.issue ORDER BY number LIMIT $1'

observeTasks()
const { longestTask, checkObserver } = window as unknown as ObservedWindow

type TrackerReplica = Awaited<ReturnType<typeof openTracker>>
let replica: TrackerReplica | null = null
const opened = (): TrackerReplica => {
  if (replica === null) throw new Error('No replica is open in this page.')
  return replica
}

function openTracker(url: string, user: string, token: string, engine: 'worker' | 'page') {
  const worker = () => new Worker(new URL('./tracker-worker.ts', import.meta.url), { type: 'module' })
  return openReplica({
    url,
    user,
    token: async () => token,
    sync,
    storage: `opfs-ahp://${user}`,
    ...(engine === 'worker' ? { worker } : {}),
  })
}

/** Opens a replica and loads it whole; answers the longest task of the main thread meanwhile, in ms. Throws where not so many issues came. */
async function loadWatched(
  url: string,
  user: string,
  token: string,
  engine: 'worker' | 'page',
  issues: number,
): Promise<number> {
  await checkObserver()
  replica = await openTracker(url, user, token, engine)
  await replica.ready
  const longest = await longestTask()
  const { rows } = await replica.db.query<{ count: number }>('SELECT count(*)::int AS count FROM public.issue')
  if (rows[0]?.count !== issues) throw new Error(`${rows[0]?.count} issues were loaded, not ${issues}.`)
  return longest
}

/** Goes offline and makes so many mutations, all of which wait then; a day that issues have already would make none. */
async function writeOffline(count: number, day: string): Promise<void> {
  opened().goOffline()
  const { rows } = await opened().db.query<{ id: string }>(MUTATED, [count])
  for (const { id } of rows) await opened().db.query('UPDATE public.issue SET due_on = $2 WHERE id = $1', [id, day])
  const waiting = await opened().db.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM tidemark.mutation_status WHERE status = 'pending'`,
  )
  if (waiting.rows[0]?.count !== count) throw new Error(`${waiting.rows[0]?.count} mutations wait, not ${count}.`)
}

/** Goes online; answers the longest task until so many issues have this title and nothing is pending, in ms. */
async function catchUpWatched(title: string, count: number): Promise<number> {
  await longestTask()
  const caughtUp = new Promise<void>((resolve) => {
    void opened().db.live.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM public.issue WHERE title = $1',
      [title],
      ({ rows }) => rows[0]?.count === count && resolve(),
    )
  })
  opened().goOnline()
  await caughtUp
  await opened().settled()
  return longestTask()
}

export const watchedTasks = { loadWatched, writeOffline, catchUpWatched }
