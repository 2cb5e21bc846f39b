import { TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import type { Database } from './database.ts'
import { fileSystem } from './node-builtins.ts'
import { isServerRuntime } from './runtime.ts'
import { startParams } from './start-params.ts'
import { dataDirOf, type Storage } from './storage-name.ts'

/** PGlite can take 17 s on a slow device, and can also hang for good. */
const START_MS = 60_000

/** Opens PGlite on a storage, with strict durability. Throws `storage` where it does not start in time. */
export type OpenDatabase = (storage: Storage) => Promise<Database>

async function inTime(start: Promise<Database>): Promise<Database> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    const message = `The local database did not start within ${START_MS / 1000} s: reload, or choose another storage.`
    timer = setTimeout(() => reject(new TidemarkError('storage', message)), START_MS)
  })
  try {
    return await Promise.race([start, late])
  } finally {
    clearTimeout(timer)
  }
}

export const openDatabase: OpenDatabase = (storage) =>
  inTime(
    isServerRuntime() || storage.kind === 'memory' ? openHere(dataDirOf(storage)) : openInWorker(dataDirOf(storage)),
  )

async function openHere(dataDir: string): Promise<Database> {
  const [{ PGlite }, { live }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('@electric-sql/pglite/live'),
  ])
  return PGlite.create({
    dataDir,
    relaxedDurability: false,
    startParams: startParams(PGlite),
    extensions: { live },
  })
}

async function openInWorker(dataDir: string): Promise<Database> {
  const { openWorkerDatabase } = await import('./worker-database.ts')
  return openWorkerDatabase(dataDir)
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
