import type { Replica } from '../../client/index.ts'
import { dataDirOf, storageFor } from '../../client/store/storage-name.ts'
import { openReplica } from '../../dist/client/index.js'
import { startBare } from './bare.ts'
import { loads } from './loads.ts'
import { watchedTasks } from './watched-tasks.ts'
import { ways } from './ways.ts'

/** How long it took until a database was open, and until it had answered a first query. */
interface Opening {
  readonly openMs: number
  readonly answeredMs: number
}

async function timeOpening(open: () => Promise<{ query(text: string): Promise<unknown> }>): Promise<Opening> {
  const start = performance.now()
  const db = await open()
  const openMs = performance.now() - start
  await db.query('SELECT 1')
  return { openMs, answeredMs: performance.now() - start }
}

/** Opens a replica on new storage, which ends before the server is asked for anything. */
const openFirst = (name: string): Promise<Opening> =>
  timeOpening(async () => {
    const replica = await openReplica({
      url: location.origin,
      user: name,
      token: async () => '',
      sync: { tables: {} },
      storage: `opfs-ahp://${name}`,
    })
    return replica.db
  })

/** Opens PGlite as it comes on new storage. */
const openBare = (name: string): Promise<Opening> => timeOpening(() => startBare(`opfs-ahp://${name}`))

const SHARED = 'opfs-ahp://shared'
let shared: Replica

/** Opens the replica of all tabs, without a server. */
async function openShared(user: string): Promise<void> {
  shared = await openReplica({
    url: location.origin,
    user,
    token: async () => '',
    sync: { tables: {} },
    storage: SHARED,
    worker: () => new Worker(new URL('./replica.worker.ts', import.meta.url), { type: 'module' }),
  })
}

/** Opens the storage of a shared replica as PGlite does by itself; answers how long it took to its first answer. */
async function reopenBare(user: string): Promise<number> {
  const start = performance.now()
  const db = await startBare(dataDirOf(await storageFor(SHARED, user)))
  await db.query('SELECT 1')
  return performance.now() - start
}

/** Takes a place that is free again once this page is gone. */
function holdPlace(name: string): Promise<void> {
  return new Promise((resolve) => {
    void navigator.locks.request(name, () => {
      resolve()
      return new Promise(() => {})
    })
  })
}

/** Waits until the page that holds a place is gone; answers how long it took from then until that showed, and until a query was answered. */
function answeredAfter(name: string): Promise<{ knownMs: number; answeredMs: number }> {
  let knownAt = Number.NaN
  shared.subscribe(({ phase }) => {
    if (phase === 'switching' && Number.isNaN(knownAt)) knownAt = performance.now()
  })
  return navigator.locks.request(name, async () => {
    const start = performance.now()
    await shared.db.query('SELECT 1')
    return { knownMs: Math.max(0, knownAt - start), answeredMs: performance.now() - start }
  })
}

/** Answers how long each of some queries took, one after another. */
async function queryDelays(count: number): Promise<number[]> {
  const delaysMs: number[] = []
  for (let turn = 0; turn < count; turn++) {
    const start = performance.now()
    await shared.db.query('SELECT $1::int AS turn', [turn])
    delaysMs.push(performance.now() - start)
  }
  return delaysMs
}

const functions = {
  openFirst,
  openBare,
  openShared,
  reopenBare,
  holdPlace,
  answeredAfter,
  queryDelays,
  ...loads,
  ...ways,
  ...watchedTasks,
}
export type BenchFunctions = typeof functions
Object.assign(window, functions)
