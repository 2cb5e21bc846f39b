import type { Replica } from '../../client/index.ts'
import { openReplica } from '../../dist/client/index.js'
import { sync } from '../../testing/writing-oracle/app/sync.ts'
import { bareLoadOf, loadBare } from '../bare-load.ts'
import { type LiveDatabase, liveUpdateDelays } from '../live-update-delays.ts'
import { localWriteDelays } from '../local-write-delays.ts'
import { startBare } from './bare.ts'

/** A replica whose engine runs in the page, one whose engine runs in the app's worker, and PGlite as it comes. */
export type Way = 'page' | 'worker' | 'bare'

const replicas = new Map<Way, Replica>()
const databases = new Map<Way, LiveDatabase>()

function databaseOf(way: Way): LiveDatabase {
  const db = databases.get(way)
  if (!db) throw new Error(`The way ${way} is not open.`)
  return db
}

/** Opens lists and tasks on OPFS in one of the ways; bare PGlite gets the tasks of the replica in the page. */
async function openWay(way: Way, url: string, user: string, token: string): Promise<void> {
  const storage = `opfs-ahp://${user}`
  if (way === 'bare') {
    const tasks = await bareLoadOf(databaseOf('page') as Replica['db'], 'public.task')
    const bare = await startBare(storage)
    await loadBare(bare, tasks)
    databases.set(way, bare)
    return
  }
  const worker = () => new Worker(new URL('./writing-worker.ts', import.meta.url), { type: 'module' })
  const replica: Replica = await openReplica({
    url,
    user,
    token: async () => token,
    sync,
    storage,
    development: false,
    ...(way === 'worker' ? { worker } : {}),
  })
  await replica.ready
  replicas.set(way, replica)
  databases.set(way, replica.db)
}

/** Writes to a task; answers how long each write took until a live query showed it. All is pushed by the end. */
async function writeIn(way: Way, writes: number): Promise<number[]> {
  const delaysMs = await localWriteDelays(databaseOf(way), writes)
  await replicas.get(way)?.settled()
  return delaysMs
}

/** Updates the first of these tasks with a live query open for each. */
const updateIn = (way: Way, ids: readonly string[], updates: number) => liveUpdateDelays(databaseOf(way), ids, updates)

/** What comes back from the server would run live queries too. */
function goOffline(): void {
  for (const replica of replicas.values()) replica.goOffline()
}

export const ways = { openWay, writeIn, updateIn, goOffline }
