import { live } from '@electric-sql/pglite/live'
import { PGliteWorker } from '@electric-sql/pglite/worker'
import { TidemarkError } from '../../protocol/index.ts'
import type { Database } from './database.ts'
import type { Alive } from './life-signs.ts'
import { StartFailed } from './start-failed.ts'

/** A message to `replica-worker.ts` beside PGlite's own: the replica is open, and the app's statements follow. */
export interface WorkerCall {
  readonly type: 'tidemark-opened'
}

/** A message of `replica-worker.ts` before the database runs; where that fails, PGlite itself would wait for ever. */
export type WorkerMessage =
  | { readonly type: 'tidemark-alive'; readonly signs: number }
  | { readonly type: 'tidemark-failed'; readonly message: string; readonly words: readonly string[] }

interface LoadedWorker {
  readonly worker: Worker
  /** PGlite's first message, which says that it has loaded; it is dispatched again to a listener that comes later. */
  greeting: unknown
  /** Rejects where it does not load. */
  readonly broken: Promise<never>
}

/** A worker that loads while it is still being found out which database is to be opened. */
let warm: LoadedWorker | null = null
const workers = new WeakMap<Database, Worker>()

function loadWorker(): LoadedWorker {
  // Bundlers look for exactly this expression.
  const worker = new Worker(new URL('./replica-worker.js', import.meta.url), { type: 'module' })
  const broken = new Promise<never>((_, reject) => {
    worker.addEventListener('error', (event) => {
      const hint = 'is tidemark excluded from dependency pre-bundling (optimizeDeps.exclude)?'
      reject(new TidemarkError('storage', `The replica's worker did not load: ${event.message || hint}`))
    })
  })
  // The caller who opens a database with it sees this rejection.
  broken.catch(() => undefined)
  const loaded: LoadedWorker = { worker, greeting: null, broken }
  worker.addEventListener('message', ({ data }) => (loaded.greeting = data), { once: true })
  return loaded
}

export function warmWorker(): void {
  warm ??= loadWorker()
}

/** Ends the worker that nobody opened anything with. */
export function coolWorker(): void {
  warm?.worker.terminate()
  warm = null
}

/** Notifies the worker that its database is the app's from now on. */
export function reportOpened(db: Database): void {
  workers.get(db)?.postMessage({ type: 'tidemark-opened' } satisfies WorkerCall)
}

/**
 * Opens PGlite in a dedicated worker, where OPFS can be written synchronously and where work does not block the page.
 *
 * New storage begins with the content of `image`.
 */
export async function openWorkerDatabase(dataDir: string, image: Blob | null, alive: Alive): Promise<Database> {
  const { worker, greeting, broken } = warm ?? loadWorker()
  warm = null
  const failed = new Promise<never>((_, reject) => {
    // PGlite's own messages have other types.
    worker.addEventListener('message', ({ data }: MessageEvent<WorkerMessage>) => {
      if (data.type === 'tidemark-alive') alive(data.signs)
      if (data.type === 'tidemark-failed') reject(new StartFailed(data.message, data.words))
    })
  })
  const start = async () => {
    // It listens as soon as it is called.
    const creating = PGliteWorker.create(worker, {
      dataDir,
      id: dataDir,
      ...(image ? { loadDataDir: image } : {}),
      extensions: { live },
    })
    if (greeting !== null) worker.dispatchEvent(new MessageEvent('message', { data: greeting }))
    const db = await creating
    await db.waitReady
    return db
  }
  try {
    // The classes differ in private fields only; see `Database` for what a worker lacks.
    const db = (await Promise.race([start(), failed, broken])) as unknown as Database
    workers.set(db, worker)
    return db
  } catch (error) {
    worker.terminate()
    throw error
  }
}
