import { live } from '@electric-sql/pglite/live'
import { PGliteWorker } from '@electric-sql/pglite/worker'
import { TidemarkError } from '../../protocol/index.ts'
import type { Database } from './database.ts'

/** What `replica-worker.ts` says when the database does not open; PGlite itself would wait for ever. */
interface WorkerFailure {
  readonly type: 'tidemark-failed'
  readonly message: string
}

function isFailure(data: unknown): data is WorkerFailure {
  return typeof data === 'object' && data !== null && 'type' in data && data.type === 'tidemark-failed'
}

/** PGlite in a dedicated worker, which is where OPFS can be written synchronously and where work does not block the page. */
export async function openWorkerDatabase(dataDir: string): Promise<Database> {
  // Bundlers look for exactly this expression.
  const worker = new Worker(new URL('./replica-worker.js', import.meta.url), { type: 'module' })
  const failed = new Promise<never>((_, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (isFailure(data)) reject(new Error(data.message))
    })
    worker.addEventListener('error', (event) => {
      const hint = 'is tidemark excluded from dependency pre-bundling (optimizeDeps.exclude)?'
      reject(new TidemarkError('storage', `The replica's worker did not load: ${event.message || hint}`))
    })
  })
  const start = async () => {
    const db = await PGliteWorker.create(worker, { dataDir, id: dataDir, extensions: { live } })
    await db.waitReady
    return db
  }
  try {
    const db = await Promise.race([start(), failed])
    // The classes differ in private fields only; see `Database` for what a worker lacks.
    return db as unknown as Database
  } catch (error) {
    worker.terminate()
    throw error
  }
}
