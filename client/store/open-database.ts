import type { Database } from './database.ts'
import { loadDatabaseImage } from './database-image.ts'
import { noteLoss } from './database-loss.ts'
import { cutTornChange, findDatabase, removeMakingMark, setMakingMark } from './find-database.ts'
import { type Alive, watchLife } from './life-signs.ts'
import { PanicGuard } from './panic-guard.ts'
import { isServerRuntime } from './runtime.ts'
import { StartFailed, StartWords } from './start-failed.ts'
import { startOptions } from './start-options.ts'
import { dataDirOf, type Storage } from './storage-name.ts'
import { removePlace } from './storage-places.ts'
import { whileAlive } from './while-alive.ts'

/**
 * Opens PGlite on a storage, with strict durability; a new one starts from an image of a database, and one that is
 * there is never made over, whatever it lacks.
 *
 * Throws `StartFailed` where Postgres gave up, and `stalled` where PGlite gives no signs of life; `alive` gets them.
 */
export type OpenDatabase = (storage: Storage, alive?: Alive) => Promise<Database>

/** The steps of an opening ahead of the database and after it. */
export interface OpeningHelp {
  /** Called when the database of this storage will be opened soon. */
  readonly onOpening: (storage: Storage) => void
  /** Called when it is not opened after all. */
  readonly onAbandoned: () => void
  /** Called when the open database is handed to the app. */
  readonly onOpened: (db: Database) => Promise<void>
}

const runsInWorker = ({ kind }: Storage) => !isServerRuntime() && kind !== 'memory'

/** In a browser the worker loads while it is found out what to open. */
export const openingHelp: OpeningHelp = {
  onOpening: (storage) => {
    if (runsInWorker(storage)) void import('./worker-database.ts').then(({ warmWorker }) => warmWorker())
  },
  onAbandoned: () => {
    if (!isServerRuntime()) void import('./worker-database.ts').then(({ coolWorker }) => coolWorker())
  },
  onOpened: async (db) => {
    if (!isServerRuntime()) (await import('./worker-database.ts')).reportOpened(db)
  },
}

/** Has a worker compile PGlite for the database that this page opens next. */
export async function prepareDatabase(): Promise<void> {
  await (await import('./worker-database.ts')).prepareWorker()
}

/** PGlite makes a database in an instance of its own, which gives no signs: ten seconds on a fast device. */
const SILENT_MAKING_MS = 600_000

type StartDatabase = (dataDir: string, image: Blob | null, alive: Alive) => Promise<Database>

/** Makes an `OpenDatabase` that starts PGlite in a way of its own. */
export const openDatabaseBy =
  (startOf: (storage: Storage) => StartDatabase): OpenDatabase =>
  async (storage, alive) => {
    const start = (image: Blob | null, isNew: boolean) => startAlive(storage, startOf(storage), image, isNew, alive)
    const found = await findDatabase(storage)
    if (found === 'unfinished') await removePlace(storage, storage.name)
    if (found === 'headless') throw headlessFault(storage)
    if (found === 'damaged') throw listFault(storage)
    if (found === 'torn') await cutTornChange(storage)
    if (found === 'torn' || found === 'database') return start(null, false)
    const [image] = await Promise.all([imageIfThere(), setMakingMark(storage)])
    const db = await start(image, true)
    try {
      await removeMakingMark(storage)
    } catch (error) {
      await db.close()
      throw error
    }
    return db
  }

export const openDatabase = openDatabaseBy((storage) => (runsInWorker(storage) ? openInWorker : openHere))

/** Words the fault as Postgres would, if it were started. */
const headlessFault = ({ name }: Storage) =>
  new StartFailed('The database lacks its first file.', [
    `FATAL:  "${name}" is not a valid data directory`,
    'DETAIL:  File "PG_VERSION" is missing.',
  ])

const listFault = ({ name }: Storage) =>
  new StartFailed('The list of the database’s files is damaged.', [
    `FATAL:  the list of files of "${name}" contains invalid data`,
  ])

function startAlive(
  storage: Storage,
  start: StartDatabase,
  image: Blob | null,
  isNew: boolean,
  alive?: Alive,
): Promise<Database> {
  return whileAlive(
    (sign) => start(dataDirOf(storage), image, sign),
    (db) => void db.close().catch(() => undefined),
    { alive, ...(isNew && !image ? { silenceMs: SILENT_MAKING_MS } : {}) },
  )
}

/** Loads the image; null where the app's bundle lacks it: then PGlite makes the database, in several times the time. */
async function imageIfThere(): Promise<Blob | null> {
  try {
    return await loadDatabaseImage()
  } catch (error) {
    console.warn('Tidemark: a first opening takes long without the image of a database.', error)
    return null
  }
}

async function openHere(dataDir: string, image: Blob | null, alive: Alive): Promise<Database> {
  const { PGlite } = await import('@electric-sql/pglite')
  const life = watchLife(alive, { ownsPlatform: false })
  const words = new StartWords()
  const panic = new PanicGuard()
  try {
    const started = new PGlite({
      dataDir,
      ...startOptions(PGlite, image, { panic, words }),
      extensions: { life: life.extension },
    })
    panic.guard(started)
    await words.ofStart(started.waitReady)
    const db = started as unknown as Database
    noteLoss(db, panic.panicked)
    return db
  } finally {
    life.stop()
  }
}

async function openInWorker(dataDir: string, image: Blob | null, alive: Alive): Promise<Database> {
  const { openWorkerDatabase } = await import('./worker-database.ts')
  return openWorkerDatabase(dataDir, image, alive)
}
