import type { Database } from './database.ts'
import { noteLoss } from './database-loss.ts'
import type { Alive } from './life-signs.ts'
import { openDatabaseBy } from './open-database.ts'
import { whenPrepared } from './prepare-engine.ts'
import { startInWorker } from './start-in-worker.ts'

/** Works as `openDatabase`, in the dedicated worker that runs this; answers also what to call once the app has it. */
export function openingHere() {
  let onOpened: () => void = () => undefined
  const start = async (dataDir: string, image: Blob | null, alive: Alive): Promise<Database> => {
    await whenPrepared()
    const started = await startInWorker(dataDir, image, alive)
    onOpened = started.onOpened
    // The type has the live extension's name, as `Database` says.
    const db = started.db as unknown as Database
    noteLoss(db, started.panicked)
    return db
  }
  return { open: openDatabaseBy(() => start), onOpened: () => onOpened() }
}
