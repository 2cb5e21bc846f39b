import { TidemarkError } from '../../protocol/index.ts'
import type { Database } from './database.ts'
import { DatabaseLink } from './database-link.ts'
import { noteLoss } from './database-loss.ts'
import type { Alive } from './life-signs.ts'
import { PageDatabase } from './page-database.ts'
import { databaseLock, type FromDatabase, type ToDatabase } from './page-messages.ts'
import { StartFailed } from './start-failed.ts'

interface LoadedWorker {
  readonly worker: Worker
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
  return { worker, broken }
}

export function warmWorker(): void {
  warm ??= loadWorker()
}

/** Has a worker compile PGlite for the database that is opened next; resolves when it has. Rejects where it does not load. */
export function prepareWorker(): Promise<void> {
  warmWorker()
  const { worker, broken } = warm as LoadedWorker
  const prepared = new Promise<void>((resolve) => {
    worker.addEventListener('message', ({ data }: MessageEvent<FromDatabase>) => data.type === 'prepared' && resolve())
  })
  worker.postMessage({ type: 'prepare' } satisfies ToDatabase)
  return Promise.race([prepared, broken])
}

/** Ends the worker that nobody opened anything with. */
export function coolWorker(): void {
  warm?.worker.terminate()
  warm = null
}

/** Notifies the worker that its database is the app's from now on. */
export function reportOpened(db: Database): void {
  workers.get(db)?.postMessage({ type: 'opened' } satisfies ToDatabase)
}

/** Resolves where an open worker ends, fails, loses a message, whose sender would wait for ever, or its database. */
function lossOf(worker: Worker, dataDir: string, closing: AbortSignal): Promise<TidemarkError> {
  return new Promise((resolve) => {
    const lose = (why: string) =>
      resolve(
        new TidemarkError(
          'storage',
          `The worker of the local database ${why}: open the replica again, or reload the page.`,
        ),
      )
    worker.addEventListener('error', ({ message }) => lose(`failed (${message})`), { signal: closing })
    worker.addEventListener('messageerror', () => lose('lost a message'), { signal: closing })
    worker.addEventListener(
      'message',
      ({ data }: MessageEvent<FromDatabase>) =>
        data.type === 'lost' && resolve(new TidemarkError('storage', data.message)),
      { signal: closing },
    )
    // A worker that the browser ends says nothing, but lets go of its lock.
    navigator.locks.request(databaseLock(dataDir), { signal: closing }, () => lose('has ended')).catch(() => undefined)
  })
}

/**
 * Opens PGlite in a dedicated worker, where OPFS can be written synchronously and where work does not block the page.
 *
 * New storage begins with the content of `image`.
 */
export async function openWorkerDatabase(dataDir: string, image: Blob | null, alive: Alive): Promise<Database> {
  const { worker, broken } = warm ?? loadWorker()
  warm = null
  const post = (message: ToDatabase) => worker.postMessage(message)
  const link = new DatabaseLink(post)
  const closing = new AbortController()
  const database = new PageDatabase(link, () => {
    closing.abort()
    worker.terminate()
  })
  const ready = new Promise<void>((resolve, reject) => {
    worker.addEventListener('message', ({ data }: MessageEvent<FromDatabase>) => {
      if (data.type === 'alive') alive(data.signs)
      else if (data.type === 'ready') resolve()
      else if (data.type === 'failed') reject(new StartFailed(data.message, data.words))
      else if (data.type === 'notification') database.receiveNotification(data.channel, data.payload)
      else if (data.type !== 'lost' && data.type !== 'prepared') link.receive(data)
    })
  })
  try {
    post({ type: 'open', dataDir, image })
    await Promise.race([ready, broken])
    // Nothing that is asked later is answered earlier.
    database.readArrayTypes().catch(() => undefined)
    // The class lacks what only PGlite itself has; see `Database`.
    const db = database as unknown as Database
    workers.set(db, worker)
    const loss = lossOf(worker, dataDir, closing.signal)
    noteLoss(db, loss)
    void loss.then((fault) => {
      link.close(fault)
      worker.terminate()
    })
    return db
  } catch (error) {
    worker.terminate()
    throw error
  }
}
