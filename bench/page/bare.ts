import { live } from '@electric-sql/pglite/live'
import { PGliteWorker } from '@electric-sql/pglite/worker'

/** Starts PGlite as it comes, in a worker as it offers them, with its own live queries. */
export async function startBare(dataDir: string) {
  const worker = new Worker(new URL('./bare-worker.ts', import.meta.url), { type: 'module' })
  const db = await PGliteWorker.create(worker, { dataDir, id: dataDir, extensions: { live } })
  await db.waitReady
  return db
}
