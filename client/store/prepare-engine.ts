import { loadDatabaseImage } from './database-image.ts'
import { startInWorker } from './start-in-worker.ts'

let preparing: Promise<void> | null = null

/**
 * Loads and compiles PGlite in the worker that runs this, by a database in memory that nobody uses: PGlite keeps for the next one what it
 * has compiled. Never rejects, since the opening tells what does not load.
 */
export function prepareEngine(): Promise<void> {
  preparing ??= startOnce().catch(() => undefined)
  return preparing
}

/** Resolves when no preparation is under way: a database that is started beside it would compile everything again. */
export const whenPrepared = (): Promise<void> => preparing ?? Promise.resolve()

async function startOnce(): Promise<void> {
  const { db } = await startInWorker('memory://', await loadDatabaseImage(), () => undefined)
  await db.close()
}
