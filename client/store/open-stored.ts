import { TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import type { Database } from './database.ts'
import { findDatabase } from './find-database.ts'
import { mendFolder } from './mend-folder.ts'
import type { OpenDatabase } from './open-database.ts'
import { hasJournal } from './open-journal-files.ts'
import { judgeError, judgeWords, type Verdict } from './rules/damage.ts'
import { nextPlace, outlived, type Place } from './rules/place-names.ts'
import { StartFailed } from './start-failed.ts'
import { sayError, storageFault } from './storage-fault.ts'
import type { Storage } from './storage-name.ts'
import { findPlaces, removePlace } from './storage-places.ts'

/** A database that was put aside is kept this long. */
const KEPT_ASIDE_MS = 30 * 24 * 3_600_000

export interface Opened {
  readonly db: Database
  /** The reason why the storage was made anew; null where it was not. */
  readonly rebuilt: string | null
}

/**
 * Opens a storage's database and lets `accept` look at it. One that is damaged is put aside, where it stays for 30 days, and
 * a new one is made in its place; nothing else changes anything that is stored.
 *
 * Throws TidemarkError: `upgrade-required` where a newer version of this library wrote it, `storage` where the device does
 * not let it be opened now, and what `accept` throws.
 */
export async function openStored(
  storage: Storage,
  open: OpenDatabase,
  accept: (db: Database) => Promise<void>,
): Promise<Opened> {
  const places = await findPlaces(storage)
  const current = places.at(-1)
  const first = { name: storage.name, begun: 0 }
  try {
    const db = await openMended({ ...storage, name: (current ?? first).name }, open, accept)
    await removeOutlived(storage, places)
    return { db, rebuilt: null }
  } catch (error) {
    const verdict = judgeOpening(error)
    if (verdict.kind === 'newer') throw newerFault(verdict.why, error)
    if (verdict.kind === 'unknown' || current === undefined) throw faultOf(error, verdict.why)
    const next = nextPlace(storage.name, Date.now())
    try {
      const db = await openAccepted({ ...storage, name: next.name }, open, accept)
      return { db, rebuilt: rebuiltWords(verdict, current) }
    } catch (fault) {
      // The one made just now is of no use: the database in force is still the one that was to be put aside.
      await removePlace(storage, next.name).catch(() => undefined)
      throw faultOf(fault, judgeOpening(fault).why)
    }
  }
}

/** Opens the database that is there; where it is damaged, once more after its missing file is put back. */
async function openMended(
  place: Storage,
  open: OpenDatabase,
  accept: (db: Database) => Promise<void>,
): Promise<Database> {
  try {
    return await openAccepted(place, open, accept)
  } catch (error) {
    const mended = place.kind === 'path' && judgeOpening(error).kind === 'damaged' && (await mendFolder(place.name))
    if (!mended) throw error
    return openAccepted(place, open, accept)
  }
}

async function openAccepted(
  place: Storage,
  open: OpenDatabase,
  accept: (db: Database) => Promise<void>,
): Promise<Database> {
  const db = await open(place)
  try {
    await accept(db)
    return db
  } catch (error) {
    await db.close().catch(() => undefined)
    throw error
  }
}

function judgeOpening(error: unknown): Verdict {
  if (error instanceof StartFailed) return judgeWords(error.words)
  if (error instanceof TidemarkError)
    return error.kind === 'corrupt' ? { kind: 'damaged', why: error.message } : { kind: 'unknown', why: null }
  if (!(error instanceof Error)) return { kind: 'unknown', why: null }
  return judgeError(error.message, 'code' in error ? error.code : null)
}

/** Answers the error that keeps the database from being opened now, as a fault of its own kind. */
function faultOf(error: unknown, why: string | null): TidemarkError {
  if (error instanceof TidemarkError) return error
  const full = storageFault(error)
  if (full) return full
  const said = why ?? sayError(error)
  if (/memory/i.test(said)) {
    const message = `This device has too little memory for the local database now; nothing of it was changed: ${said}`
    return new TidemarkError('storage', message, { cause: error })
  }
  return new TidemarkError(
    'storage',
    `The local database could not be opened, and nothing of it was changed: ${said}`,
    {
      cause: error,
    },
  )
}

const newerFault = (why: string, cause: unknown) =>
  new TidemarkError('upgrade-required', `A newer version of this app wrote the local database; reload it: ${why}`, {
    cause,
  })

function rebuiltWords({ kind, why }: Verdict, aside: Place): string {
  const what = kind === 'older' ? 'is of an older Postgres' : 'cannot be read'
  return `The stored replica ${what} (${why}). It was put aside as ${aside.name}, where it stays for 30 days, and is loaded anew.`
}

async function removeOutlived(storage: Storage, places: readonly Place[]): Promise<void> {
  for (const place of outlived(places, Date.now(), KEPT_ASIDE_MS)) {
    // A database that cannot be removed now is tried again at the next opening.
    await removePlace(storage, place.name).catch(() => undefined)
  }
}

/** Removes the databases put aside of an open storage: rows that its user may no longer see may be in them. */
export async function removeAside(storage: Storage): Promise<void> {
  for (const place of (await findPlaces(storage)).slice(0, -1)) await removePlace(storage, place.name)
}

/** Finds the first of these storages that holds a database or its journal; null where none does. */
export async function firstInUse(storages: readonly Storage[]): Promise<Storage | null> {
  for (const storage of storages) {
    const name = (await findPlaces(storage)).at(-1)?.name
    const found = name === undefined ? 'nothing' : await findDatabase({ ...storage, name })
    const isThere = found !== 'nothing' && found !== 'unfinished'
    if (isThere || (await hasJournal(storage))) return storage
  }
  return null
}

/** Removes everything that a closed storage holds, with the databases put aside. */
export async function wipe(storage: Storage): Promise<void> {
  try {
    for (const place of await findPlaces(storage)) await removePlace(storage, place.name)
  } catch (error) {
    throw toTidemarkError(error, 'storage')
  }
}
