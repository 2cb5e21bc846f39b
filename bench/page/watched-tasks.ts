import { openReplica } from '../../dist/client/index.js'
import { sync } from '../../examples/tracker/sync.ts'

/** Issues that are written by one mutation each. */
const MUTATED = 'SELECT id FROM public.issue ORDER BY number LIMIT $1'

let longestMs = 0
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longestMs = Math.max(longestMs, duration)
}).observe({ type: 'longtask' })

/** Answers the longest task of the main thread since the last call, in ms; 0 where none took 50 ms. */
function longestTask(): number {
  const longest = longestMs
  longestMs = 0
  return longest
}

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

/** Opens a replica and loads it whole; answers the longest task of the main thread meanwhile, in ms. */
async function loadWatched(url: string, user: string, token: string, engine: 'worker' | 'page'): Promise<number> {
  longestTask()
  replica = await openTracker(url, user, token, engine)
  await replica.ready
  return longestTask()
}

/** Goes offline and makes so many mutations. */
async function writeOffline(count: number): Promise<void> {
  opened().goOffline()
  const { rows } = await opened().db.query<{ id: string }>(MUTATED, [count])
  for (const { id } of rows)
    await opened().db.query(`UPDATE public.issue SET due_on = '2026-12-24' WHERE id = $1`, [id])
}

/** Goes online; answers the longest task until so many issues have this title and nothing is pending, in ms. */
async function catchUpWatched(title: string, count: number): Promise<number> {
  longestTask()
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
