import { PGlite } from '@electric-sql/pglite'
import { OpfsAhpFS } from '@electric-sql/pglite/opfs-ahp'
import type { TidemarkError } from '../../protocol/index.ts'
import { FILES_OF_IMAGE } from './image-files.ts'
import { type Alive, watchLife } from './life-signs.ts'
import { PanicGuard } from './panic-guard.ts'
import { StartWords } from './start-failed.ts'
import { startOptions } from './start-options.ts'

/** Files kept ready for the next statement: few while a new database is opened, since making one takes a millisecond. */
const FILES_KEPT_AT_OPENING = 12
/** PGlite makes 1,000 for a new database and removes half of them again, which takes longer than making them. */
const FILES_OF_NEW = FILES_OF_IMAGE + FILES_KEPT_AT_OPENING
/** PGlite's own number: one statement of the app's may make as many. */
const FILES_KEPT = 100
const OPFS = 'opfs-ahp://'

/**
 * Rejects with the first rejection that nobody handles: PGlite then waits for ever for what it belonged to, a module that did not load
 * or a handle that it did not get.
 */
function firstUnhandled(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    addEventListener('unhandledrejection', ({ reason }) => reject(reason), { signal })
  })
}

/**
 * PGlite's files, which go on with those that are there where no more can be made: the storage was cleared, or is full. A
 * statement that finds none rejects.
 */
class BoundedFiles extends OpfsAhpFS {
  override async maintainPool(size?: number): Promise<void> {
    const ended = new AbortController()
    try {
      await Promise.race([super.maintainPool(size), firstUnhandled(ended.signal)])
    } catch (error) {
      console.warn('Tidemark: no more files can be made for the local database.', error)
    } finally {
      ended.abort()
    }
  }

  override async closeFs(): Promise<void> {
    // A browser may never return from closing a file whose storage was cleared; these end with the worker.
    if (await isThere(this.dataDir ?? '')) await super.closeFs()
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    let folder = await navigator.storage.getDirectory()
    for (const part of path.split('/').filter(Boolean)) folder = await folder.getDirectoryHandle(part)
    return true
  } catch {
    return false
  }
}

function openFiles(path: string, isNew: boolean): OpfsAhpFS {
  if (!isNew) return new BoundedFiles(path, { maintainedPoolSize: FILES_KEPT })
  return new BoundedFiles(path, { initialPoolSize: FILES_OF_NEW, maintainedPoolSize: FILES_KEPT_AT_OPENING })
}

function keepMoreFiles(db: PGlite, files: OpfsAhpFS): void {
  // PGlite reads it at the end of each statement, when it is too late for that one.
  Object.assign(files, { maintainedPoolSize: FILES_KEPT })
  void db.runExclusive(() => files.maintainPool())
}

/** A database that was started in this worker. */
export interface Started {
  readonly db: PGlite
  /** Resolves where Postgres panicked, which ends the database. */
  readonly panicked: Promise<TidemarkError>
  /** The app's statements follow, of which the first may already make many files: it waits until they are there. */
  onOpened(): void
}

/**
 * Starts PGlite in the dedicated worker that runs this, with strict durability; new storage begins with the content of
 * `image`. Throws `StartFailed` where Postgres gave up.
 */
export async function startInWorker(dataDir: string, image: Blob | File | null, alive: Alive): Promise<Started> {
  const life = watchLife(alive, { ownsPlatform: true })
  const isNew = image !== null
  const files = dataDir.startsWith(OPFS) ? openFiles(dataDir.slice(OPFS.length), isNew) : null
  const ended = new AbortController()
  const words = new StartWords()
  const panic = new PanicGuard()
  try {
    const db = new PGlite({
      ...(files ? { fs: files } : { dataDir }),
      ...startOptions(PGlite, image, { panic, words }),
      extensions: { life: life.extension },
    })
    panic.guard(db)
    await words.ofStart(Promise.race([db.waitReady, firstUnhandled(ended.signal)]))
    return { db, panicked: panic.panicked, onOpened: () => files && keepMoreFiles(db, files) }
  } finally {
    ended.abort()
    life.stop()
  }
}
