import { TidemarkError } from '../protocol/index.ts'
import { type FoundJournal, openJournal, requireJournal } from './journal/open-journal.ts'
import { recoverFromJournal } from './journal/recover-mutations.ts'
import type { Recovery } from './journal/rules/compare-journal.ts'
import type { ReplicaOptions } from './replica-api.ts'
import type { Release } from './store/lock-file.ts'
import type { OpenDatabase, OpeningHelp } from './store/open-database.ts'
import { hasJournal } from './store/open-journal-files.ts'
import { firstInUse, type Opened, openStored, wipe } from './store/open-stored.ts'
import { openOwnSchema } from './store/own-schema.ts'
import { defaultStorages } from './store/runtime.ts'
import { lockStorage } from './store/storage-lock.ts'
import { type Storage, storageFor } from './store/storage-name.ts'

/**
 * Opens the storage that holds the user's replica, or the first that can be opened where none does, and the journal beside
 * it, from which the database recovers what it lacks.
 *
 * Throws as `openStored` and `lockStorage`.
 */
export async function openStorage(
  options: Pick<ReplicaOptions, 'storage' | 'url' | 'user'>,
  open: OpenDatabase,
  help: Pick<OpeningHelp, 'onOpening' | 'onAbandoned'> | null,
  lockWaitMs = 0,
) {
  const named = options.storage === undefined ? defaultStorages(options.url) : [options.storage]
  const wanted = await Promise.all(named.map((option) => storageFor(option, options.user)))
  // A storage that holds a replica is opened or none is, whatever keeps it shut now.
  const known = wanted.length === 1 ? null : await firstInUse(wanted)
  const releases: Release[] = []
  const release = async () => {
    for (const one of releases.splice(0).reverse()) await one()
  }
  try {
    for (const [index, storage] of (known ? [known] : wanted).entries()) {
      // Those before it stay locked too, so that no other tab chooses one of them meanwhile.
      releases.push(await lockStorage(storage, lockWaitMs))
      const opening = await openLocked(storage, options.user, open, help)
      if (!('fault' in opening)) return { ...opening, release, storage }
      // Where anything was left behind, the next opening would take this storage for the one in use.
      if (known || index === wanted.length - 1 || (await firstInUse([storage])) !== null) throw opening.fault
    }
    throw new TidemarkError('internal', 'There is no storage to open.')
  } catch (error) {
    await release()
    throw error
  }
}

async function openLocked(
  storage: Storage,
  user: string,
  open: OpenDatabase,
  help: Pick<OpeningHelp, 'onOpening' | 'onAbandoned'> | null,
) {
  let finding: Promise<FoundJournal> | null = null
  try {
    help?.onOpening(storage)
    // If this fails, reading the journal says why.
    const isThere = await hasJournal(storage).catch(() => true)
    finding = openJournal(storage)
    // Without a journal, its files are opened while the database starts.
    if (isThere && (await finding).state?.hasLeft) {
      // A sign-out that was cut short is finished first.
      await wipe(storage)
      await (await finding).files?.remove()
      finding = openJournal(storage)
    }
    const one = await openOne(storage, user, open, finding)
    return { ...one, found: await finding }
  } catch (error) {
    await (await finding)?.files?.close().catch(() => undefined)
    help?.onAbandoned()
    if (error instanceof TidemarkError && (error.kind === 'forbidden' || error.kind === 'stalled')) throw error
    return { fault: error }
  }
}

async function openOne(
  storage: Storage,
  user: string,
  open: OpenDatabase,
  finding: Promise<FoundJournal>,
): Promise<{ opened: Opened; clientId: string; recovery: Recovery | null }> {
  let clientId = ''
  let recovery: Recovery | null = null
  const opened = await openStored(storage, open, async (db) => {
    const own = await openOwnSchema(db, user, async () => requireJournal(await finding))
    const { state } = await finding
    recovery = state && (await db.transaction((tx) => recoverFromJournal(tx, state)))
    clientId = recovery?.client ?? own.clientId
  })
  return { opened, clientId, recovery }
}
