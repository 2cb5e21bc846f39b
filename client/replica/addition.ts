import { minLsn, TidemarkError } from '../../protocol/index.ts'
import { type Copy, deleteCopy, insertCopy, readCopies, setStage } from './books.ts'
import type { Database } from './database.ts'
import { createAside, dropAside } from './definition-ddl.ts'
import { envelopeFault } from './envelope.ts'
import { fetchManifests, type HydrationOptions, load } from './hydration.ts'
import { ensurePrimaryKeys } from './join.ts'
import { withServerRows } from './server-rows.ts'

/**
 * Loads audiences that were granted beside the rows that are shown, which go on streaming, and answers the copy that is to
 * join them.
 *
 * Rejects with TidemarkError, `unavailable` where loading everything anew may help.
 */
export async function loadAddition(options: Omit<HydrationOptions, 'changed' | 'outbox'>, live: Copy): Promise<Copy> {
  const { db, signal } = options
  const copy = await begin(options, live)
  await load(options, copy)
  if (signal.aborted) throw brokenOff()
  return withServerRows(db, async (tx) => {
    await ensurePrimaryKeys(tx, copy.tables.values())
    await setStage(tx, 'aside', 'joining')
    const loaded = (await readCopies(tx)).find(({ place }) => place === 'aside')
    if (!loaded) throw new TidemarkError('internal', 'The copy just loaded is not there.')
    return loaded
  })
}

async function begin(options: Omit<HydrationOptions, 'changed' | 'outbox'>, live: Copy): Promise<Copy> {
  const { db, signal } = options
  const manifests = await fetchManifests(options)
  const [first, ...rest] = manifests
  const fits = first?.epoch === live.epoch && first.definitionVersion === live.definition.version
  if (!first || !fits) throw new TidemarkError('unavailable', 'The snapshots are of another history; reconnecting.')
  const fault = envelopeFault(options.envelope, manifests)
  if (fault !== null) throw fault
  if (signal.aborted) throw brokenOff()
  const cursor = minLsn(first.start, ...rest.map(({ start }) => start))
  return withServerRows(db, async (tx) => {
    await tx.exec([dropAside(), ...createAside(live.definition.definition)].join('\n'))
    const { epoch, definition } = live
    await insertCopy(tx, { place: 'aside', stage: 'adding', epoch, cursor, definition, manifests })
    const copy = (await readCopies(tx)).find(({ place }) => place === 'aside')
    if (!copy) throw new TidemarkError('internal', 'A copy just recorded is not there.')
    return copy
  })
}

/** Lets go of whatever is being loaded beside. */
export async function dropAddition(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    await deleteCopy(tx, 'aside')
    await tx.exec(dropAside())
  })
}

const brokenOff = () => new TidemarkError('unavailable', 'The rights changed again meanwhile.')
