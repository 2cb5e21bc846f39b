import { live } from '@electric-sql/pglite/live'
import { PGliteWorker } from '@electric-sql/pglite/worker'
import { openReplica } from '../../dist/client/index.js'
import { sync } from '../../examples/tracker/sync.ts'
import { sync as tasksSync } from '../../testing/writing-oracle/app/sync.ts'
import { localWriteDelays } from '../local-write-delays.ts'

export interface PageLoad {
  readonly rows: number
  readonly elapsedMs: number
  readonly firstRowMs: number | null
}

/** Opens a replica on persistent storage in this tab and keeps it; answers once it is whole. */
async function hydrate(url: string, user: string, token: string): Promise<PageLoad> {
  const start = performance.now()
  const replica = await openReplica({ url, user, token: async () => token, sync, storage: `opfs-ahp://${user}` })
  let firstRowMs: number | null = null
  replica.subscribe(({ hydration }) => {
    if (hydration && hydration.rows > 0) firstRowMs ??= performance.now() - start
  })
  await replica.ready
  const elapsedMs = performance.now() - start
  const { rows } = await replica.db.query<{ count: number }>('SELECT count(*)::int AS count FROM public.issue')
  return { rows: rows[0]?.count ?? 0, elapsedMs, firstRowMs }
}

/** Writes to the list of tasks on persistent storage; answers how long each write took until a live query showed it. */
async function writeLocally(url: string, user: string, token: string, writes: number): Promise<number[]> {
  const replica = await openReplica({
    url,
    user,
    token: async () => token,
    sync: tasksSync,
    storage: `opfs-ahp://${user}`,
    development: false,
  })
  await replica.ready
  const delaysMs = await localWriteDelays(replica.db, writes)
  await replica.settled()
  return delaysMs
}

/** Opens a replica on new storage; answers how long that took, which ends before the server is asked for anything. */
async function openFirst(name: string): Promise<number> {
  const start = performance.now()
  await openReplica({
    url: location.origin,
    user: name,
    token: async () => '',
    sync: { tables: {} },
    storage: `opfs-ahp://${name}`,
  })
  return performance.now() - start
}

/** Opens PGlite as it comes on new storage; answers how long that took. */
async function openBare(name: string): Promise<number> {
  const start = performance.now()
  const worker = new Worker(new URL('./bare-worker.ts', import.meta.url), { type: 'module' })
  const db = await PGliteWorker.create(worker, { dataDir: `opfs-ahp://${name}`, id: name, extensions: { live } })
  await db.waitReady
  return performance.now() - start
}

const functions = { hydrate, writeLocally, openFirst, openBare }
export type BenchFunctions = typeof functions
Object.assign(window, functions)
