import { type DefinitionInForce, type Manifest, minLsn, TidemarkError, ZERO_LSN } from '../../protocol/index.ts'
import { type Copy, type Executor, insertCopy, readCopies, setStage } from '../store/copies.ts'
import { createAside, dropAside } from '../store/definition-ddl.ts'
import { heldTables, type Refused } from '../store/held-tables.ts'
import { withServerRows } from '../store/server-rows.ts'
import { fetchManifests } from './fetch-manifests.ts'
import { ensurePrimaryKeys } from './finish-tables.ts'
import type { HydrationOptions } from './hydration-options.ts'
import { loadCopy } from './load-copy.ts'
import { envelopeFault } from './load-envelope.ts'
import type { Renewal } from './plan-renewal.ts'
import { refusedTables } from './refused-tables.ts'

export type BesideOptions = Omit<HydrationOptions, 'onCopiesChanged' | 'outbox'>

/**
 * Loads audiences that were granted beside the rows that are shown, which go on streaming, and answers the copy that is to
 * join them.
 *
 * Rejects with TidemarkError, `unavailable` where loading everything anew may help.
 */
export async function loadAddition(options: BesideOptions, live: Copy): Promise<Copy> {
  const manifests = await fetchManifests(options)
  const [first] = manifests
  const fits = first?.epoch === live.epoch && first.definitionVersion === live.definition.version
  if (!fits) throw new TidemarkError('unavailable', 'The snapshots are of another history; reconnecting.')
  const fault = envelopeFault(options.envelope, manifests)
  if (fault !== null) throw fault
  return loadAside(options, live, live.definition, manifests, live.refused)
}

/** Works as `loadAddition`, for the tables that a later definition changes. Rule HYD-R6. */
export function loadRenewal(options: BesideOptions, live: Copy, { manifests }: Renewal): Promise<Copy> {
  const [first] = manifests
  if (!first) throw new TidemarkError('internal', 'There is nothing to load.')
  const definition = { version: first.definitionVersion, hash: first.definitionHash, definition: first.definition }
  return loadAside(options, live, definition, manifests, options.refusedOf(live.epoch, definition.version))
}

async function loadAside(
  options: BesideOptions,
  live: Copy,
  definition: DefinitionInForce,
  manifests: readonly Manifest[],
  known: Refused,
): Promise<Copy> {
  const { db, signal } = options
  const { epoch } = live
  if (signal.aborted) throw brokenOff()
  const starts = manifests.map(({ start }) => start)
  const [first = ZERO_LSN, ...rest] = starts
  const cursor = minLsn(first, ...rest)
  const begun = await withServerRows(db, async (tx) => {
    const refused = await refusedTables(tx, live, definition, known)
    const tables = heldTables(definition.definition, refused, 'aside')
    await tx.exec([dropAside(), ...createAside(tables)].join('\n'))
    await insertCopy(tx, { place: 'aside', stage: 'adding', epoch, cursor, definition, refused, manifests })
    return readAsideCopy(tx)
  })
  const copy = await loadCopy(options, begun)
  if (signal.aborted) throw brokenOff()
  return withServerRows(db, async (tx) => {
    await ensurePrimaryKeys(tx, copy.tables.values())
    await setStage(tx, 'aside', 'joining')
    return readAsideCopy(tx)
  })
}

async function readAsideCopy(tx: Executor): Promise<Copy> {
  const copy = (await readCopies(tx)).find(({ place }) => place === 'aside')
  if (!copy) throw new TidemarkError('internal', 'A copy just recorded is not there.')
  return copy
}

const brokenOff = () => new TidemarkError('unavailable', 'The rights changed again meanwhile.')
