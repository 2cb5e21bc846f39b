import { TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import type { Database } from './database.ts'
import { loadDatabaseImage } from './database-image.ts'
import { type Alive, watchLife } from './life-signs.ts'
import { findDatabase, markFinished, markUnfinished } from './making.ts'
import { fileSystem } from './node-builtins.ts'
import { isServerRuntime } from './runtime.ts'
import { startParams } from './start-params.ts'
import { dataDirOf, type Storage } from './storage-name.ts'
import { whileAlive } from './while-alive.ts'

/**
 * Opens PGlite on a storage, with strict durability; a new one starts from an image of a database.
 *
 * Throws `stalled` where PGlite gives no sign of life; `alive` hears of those it gives.
 */
export type OpenDatabase = (storage: Storage, alive?: Alive) => Promise<Database>

/** PGlite makes a database in an instance of its own, which gives no signs: ten seconds on a fast device. */
const SILENT_MAKING_MS = 600_000

export const openDatabase: OpenDatabase = async (storage, alive) => {
  const found = await findDatabase(storage)
  if (found === 'unfinished') await wipe(storage)
  if (found === 'database') return start(storage, null, false, alive)
  await markUnfinished(storage)
  const db = await start(storage, await imageIfThere(), true, alive)
  try {
    await markFinished(storage)
  } catch (error) {
    await db.close()
    throw error
  }
  return db
}

function start(storage: Storage, image: Blob | null, isNew: boolean, alive?: Alive): Promise<Database> {
  const dataDir = dataDirOf(storage)
  const here = isServerRuntime() || storage.kind === 'memory'
  return whileAlive(
    (sign) => (here ? openHere(dataDir, image, sign) : openInWorker(dataDir, image, sign)),
    (db) => void db.close().catch(() => undefined),
    { alive, ...(isNew && !image ? { silenceMs: SILENT_MAKING_MS } : {}) },
  )
}

/** Null where the app's bundle lacks it: then PGlite makes the database, in several times the time. */
async function imageIfThere(): Promise<Blob | null> {
  try {
    return await loadDatabaseImage()
  } catch (error) {
    console.warn('Tidemark: a first opening takes long without the image of a database.', error)
    return null
  }
}

async function openHere(dataDir: string, image: Blob | null, alive: Alive): Promise<Database> {
  const [{ PGlite }, { live }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('@electric-sql/pglite/live'),
  ])
  const life = watchLife(alive, { ownsPlatform: false })
  try {
    return await PGlite.create({
      dataDir,
      ...(image ? { loadDataDir: image } : {}),
      relaxedDurability: false,
      startParams: startParams(PGlite),
      extensions: { live, life: life.extension },
    })
  } finally {
    life.stop()
  }
}

async function openInWorker(dataDir: string, image: Blob | null, alive: Alive): Promise<Database> {
  const { openWorkerDatabase } = await import('./worker-database.ts')
  return openWorkerDatabase(dataDir, image, alive)
}

/** Faults that say nothing of the stored data, so that it must not be thrown away for them. */
const NOT_DAMAGE = /quota|no space|not allowed|securityerror|permission|EACCES|EROFS|ENOSPC|EMFILE/i

export interface Opened {
  readonly db: Database
  /** Why the storage was made anew; null where it was not. */
  readonly rebuilt: string | null
}

/**
 * Opens a storage and lets `accept` look at it; what cannot be opened or accepted is wiped and made anew, once.
 *
 * What was not sent yet is lost with it. Throws `storage`, or what `accept` throws other than `corrupt`.
 */
export async function openOrRebuild(
  storage: Storage,
  open: OpenDatabase,
  accept: (db: Database) => Promise<void>,
): Promise<Opened> {
  let db: Database | null = null
  try {
    db = await open(storage)
    await accept(db)
    return { db, rebuilt: null }
  } catch (error) {
    await db?.close().catch(() => undefined)
    const message = error instanceof Error ? error.message : String(error)
    const damaged = error instanceof TidemarkError ? error.kind === 'corrupt' : !NOT_DAMAGE.test(message)
    if (!damaged || storage.kind === 'memory') throw toTidemarkError(error, 'storage')
    await wipe(storage)
    const fresh = await open(storage).catch((fault: unknown) => {
      throw toTidemarkError(fault, 'storage')
    })
    await accept(fresh)
    return {
      db: fresh,
      rebuilt: `The stored replica could not be used and is loaded anew, without what was not sent: ${message}`,
    }
  }
}

/** Removes a storage that is closed. */
export async function wipe(storage: Storage): Promise<void> {
  if (storage.kind === 'memory') return
  if (storage.kind === 'path') {
    return fileSystem().rm(storage.name, { recursive: true, force: true })
  }
  if (storage.kind === 'opfs-ahp') {
    const parts = storage.name.split('/')
    const last = parts.pop() ?? storage.name
    let directory = await navigator.storage.getDirectory()
    for (const part of parts) directory = await directory.getDirectoryHandle(part)
    await directory.removeEntry(last, { recursive: true })
    return
  }
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase(`/pglite/${storage.name}`)
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
    request.onblocked = () =>
      reject(new TidemarkError('already-open', 'The replica’s storage is in use by another tab.'))
  })
}
