import { live } from '@electric-sql/pglite/live'
import { PGliteWorker } from '@electric-sql/pglite/worker'
import { TidemarkError } from '../../protocol/index.ts'
import type { Database } from './database.ts'
import type { Alive } from './life-signs.ts'
import { StartFailed } from './start-failed.ts'

/** What `replica-worker.ts` says of itself before the database runs; where that fails, PGlite itself would wait for ever. */
export type WorkerMessage =
  | { readonly type: 'tidemark-alive'; readonly signs: number }
  | { readonly type: 'tidemark-failed'; readonly message: string; readonly words: readonly string[] }

/**
 * PGlite in a dedicated worker, which is where OPFS can be written synchronously and where work does not block the page.
 *
 * New storage begins with what `image` holds.
 */
export async function openWorkerDatabase(dataDir: string, image: Blob | null, alive: Alive): Promise<Database> {
  // Bundlers look for exactly this expression.
  const worker = new Worker(new URL('./replica-worker.js', import.meta.url), { type: 'module' })
  const failed = new Promise<never>((_, reject) => {
    // PGlite's own messages have other types.
    worker.addEventListener('message', ({ data }: MessageEvent<WorkerMessage>) => {
      if (data.type === 'tidemark-alive') alive(data.signs)
      if (data.type === 'tidemark-failed') reject(new StartFailed(data.message, data.words))
    })
    worker.addEventListener('error', (event) => {
      const hint = 'is tidemark excluded from dependency pre-bundling (optimizeDeps.exclude)?'
      reject(new TidemarkError('storage', `The replica's worker did not load: ${event.message || hint}`))
    })
  })
  const start = async () => {
    const db = await PGliteWorker.create(worker, {
      dataDir,
      id: dataDir,
      ...(image ? { loadDataDir: image } : {}),
      extensions: { live },
    })
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
