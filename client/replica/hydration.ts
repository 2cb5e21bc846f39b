/*
 * Hydration brings a replica the rows that its user may see.
 *
 * The welcome names the audiences. For each a manifest is fetched: a snapshot's chunks, where the stream joins it, and the
 * definition. Tables are made empty, in the place of those the app sees or aside where it goes on seeing some; chunks are loaded in
 * the definition's order; what was loaded is noted with the rows, so that a load that is broken off goes on where it was. Then the
 * stream is followed from the earliest start to the latest fence: what a snapshot shows already is skipped, by its list of
 * transactions. At the fence the copy joins: keys and constraints are made, pending work is done again on it, and it is shown.
 *
 *     manifests ──► empty tables ──► chunks ──► stream from start to fence ──► join ──► shown
 *         ▲                            │
 *         └── a chunk is gone or wrong ┘      three rounds, then the connection's backoff
 *
 * A transaction is in a snapshot or in the stream and never in both, which is why nothing is doubled or missed. Nothing is shown
 * before it is whole, and a snapshot older than what is shown joins no earlier than there, so that nobody is taken back.
 */
import {
  composeNames,
  type Definition,
  type Lsn,
  maxLsn,
  minLsn,
  namesOfVersion,
  quoteTable,
  TidemarkError,
  type VersionNames,
  ZERO_LSN,
} from '../../protocol/index.ts'
import { sealNewPatches } from '../mutations/seal-patches.ts'
import { type Copy, deleteCopy, type Executor, insertCopy, readCopies, setStage } from '../store/copies.ts'
import { createAside, dropAside, replaceTables, retiredName } from '../store/definition-ddl.ts'
import { heldDefinition, heldTables, type Refused } from '../store/held-tables.ts'
import { makeTables } from '../store/make-tables.ts'
import { forgetOutcomesAside } from '../store/rows/outcome-rows.ts'
import { withServerRows } from '../store/server-rows.ts'
import { storageFault } from '../store/storage-fault.ts'
import { fetchDefinition, fetchManifests } from './fetch-manifests.ts'
import { fetchVersions } from './fetch-versions.ts'
import { ensurePrimaryKeys } from './finish-tables.ts'
import type { HydrationOptions } from './hydration-options.ts'
import { joinCopy } from './join.ts'
import { fenceOf } from './join-fence.ts'
import { loadCopy } from './load-copy.ts'
import { envelopeFault } from './load-envelope.ts'
import { loadSeldomParts } from './load-seldom-parts.ts'
import { fetchRecovered, mapRecovered } from './map-recovered.ts'
import { makeHeld, refusedTables } from './refused-tables.ts'
import { unknownRetypes } from './rules/unknown-retypes.ts'

/** A hydration takes up fresh manifests this often before it leaves the rest to the connection's backoff. */
const MANIFEST_ROUNDS = 3

/**
 * Loads a copy from snapshots, going on where an earlier run was broken off, and answers it ready to stream or joined.
 *
 * Rejects with TidemarkError: `unavailable` when it may be tried again, `corrupt` when the server's chunks stay wrong,
 * `limit-exceeded` before anything is loaded when it is beyond the envelope, `storage` when the device has no room.
 */
export async function hydrate(options: HydrationOptions): Promise<Copy> {
  try {
    return await hydrateInRounds(options)
  } catch (error) {
    throw storageFault(error) ?? error
  }
}

async function hydrateInRounds(options: HydrationOptions): Promise<Copy> {
  let copy = await findResumable(options)
  let fault: TidemarkError | null = null
  for (let round = 0; round < MANIFEST_ROUNDS; round++) {
    copy ??= await beginCopy(options)
    try {
      copy = await loadCopy(options, copy)
      // The snapshots are taken by now, so outcomes that are not decided yet come in the stream.
      await options.outbox.askOutcomesBeforeJoin(copy.epoch, options.signal)
      return await finishLoad(options, copy)
    } catch (error) {
      // A chunk that is gone or stays broken belongs to a snapshot that was built anew: start over with that one.
      const stale = error instanceof TidemarkError && (error.kind === 'not-found' || error.kind === 'corrupt')
      if (!stale || options.signal.aborted) throw error
      fault = error
      copy = null
    }
  }
  throw fault ?? new TidemarkError('internal', 'No attempt was made.')
}

const sameAudiences = (copy: Copy, audiences: readonly string[]) =>
  copy.manifests.length === audiences.length && audiences.every((audience) => copy.joins.has(audience))

async function findResumable({ db, welcome, envelope }: HydrationOptions): Promise<Copy | null> {
  const copies = await readCopies(db)
  const copy = copies.find(({ stage }) => stage === 'loading')
  if (!copy || copy.epoch !== welcome.epoch || copy.definition.hash !== welcome.definitionHash) return null
  if (copy.definition.version !== welcome.definitionVersion) return null
  // A load beyond the envelope is begun anew, because the server may have less by now.
  return sameAudiences(copy, welcome.audiences) && !envelopeFault(envelope, copy.manifests) ? copy : null
}

/** Makes room for a new copy: aside, where one is shown that the app goes on seeing; else in its place. */
async function beginCopy(options: HydrationOptions): Promise<Copy> {
  const { db, welcome } = options
  const fetched = await fetchManifests(options)
  const tooMuch = envelopeFault(options.envelope, fetched)
  if (tooMuch) throw tooMuch
  const { epoch, definitionVersion, definitionHash, ...found } = fetched[0] ?? (await fetchDefinition(options))
  const definition = { version: definitionVersion, hash: definitionHash, definition: found.definition }
  const old = (await readCopies(db)).find(({ place }) => place === 'live')
  // Rows of a load that is given up are shown until there are others, so that no list that has rows is emptied.
  const fills = old !== undefined && old.rows > 0 && (old.stage === 'loading' || old.stage === 'window')
  const shows = old !== undefined && (fills || old.stage === 'joined' || old.stage === 'broken')
  // A snapshot may be older than what is shown: it joins no earlier than there, so that the app is not taken back.
  const shownTo = shows && old.epoch === epoch ? maxLsn(old.cursor, fills ? fenceOf(old) : ZERO_LSN) : ZERO_LSN
  const manifests = fetched.map((manifest) => ({ ...manifest, fence: maxLsn(manifest.fence, shownTo) }))
  const [first, ...rest] = manifests.map(({ start }) => start)
  const cursor: Lsn = first === undefined ? ('head' in found ? found.head : welcome.head) : minLsn(first, ...rest)
  const place = shows ? 'aside' : 'live'
  const owed = await fetchOwed(options, old, { epoch, version: definitionVersion, definition: found.definition })
  const recovered = old === undefined ? await fetchRecovered(options, { epoch, version: definitionVersion }) : []
  // Here, because nothing in the transaction waits for the network.
  if (old !== undefined) await loadSeldomParts()
  await withServerRows(db, async (tx) => {
    if (fills) await setStage(tx, 'live', 'broken')
    await forgetOutcomesAside(tx)
    const known = options.refusedOf(epoch, definition.version)
    const findRefused = () => refusedTables(tx, old ?? null, definition, known)
    const makeLive = (refused: Refused) =>
      replaceLiveTables(tx, old ?? null, heldDefinition(definition.definition, refused), options.outbox.warn)
    const refused = shows ? await findRefused() : await makeHeld(tx, known, { make: makeLive, findRefused })
    if (shows) await tx.exec(createAside(heldTables(definition.definition, refused, 'aside')).join('\n'))
    await insertCopy(tx, { place, stage: 'loading', epoch, cursor, definition, refused, owed, manifests })
    await mapRecovered(tx, recovered, definition.definition)
  })
  const copies = await readCopies(db)
  options.onCopiesChanged(copies)
  const copy = copies.find((candidate) => candidate.place === place)
  if (!copy) throw new TidemarkError('internal', 'A copy just recorded is not there.')
  return copy
}

/**
 * Asks what became of the names and types in which pending work is said. Another history may mean other versions by the
 * same numbers, and where they are too many nobody tells: work that does not fit then fails with its data.
 */
async function fetchOwed(
  options: HydrationOptions,
  old: Copy | undefined,
  { epoch, version, definition }: { epoch: string; version: number; definition: Definition },
): Promise<VersionNames> {
  const owed: VersionNames = old?.owed ?? new Map()
  if (!old) return owed
  const unknown = () => composeNames(owed, unknownRetypes(old.definition.definition, definition))
  if (old.epoch !== epoch) return unknown()
  if (old.definition.version >= version) return owed
  const versions = await fetchVersions(options, { epoch, version: old.definition.version })
  if (versions === null) return unknown()
  const later = versions.filter((one) => one.version <= version)
  return later.reduce((so, one) => composeNames(so, namesOfVersion(one)), owed)
}

/** Makes empty live tables where the app sees no rows, and puts back the objects that hung on dropped tables. */
async function replaceLiveTables(tx: Executor, old: Copy | null, after: Definition, warn: (loss: string) => void) {
  await deleteCopy(tx, 'aside')
  // Writes captured on tables that are dropped are sealed before, so that they keep their meaning.
  if (old) await sealNewPatches(tx, old.tables)
  const before = old && heldDefinition(old.definition.definition, old.refused)
  const { dropped, kept, statements } = replaceTables(before, after, retiredName())
  // On tables that are made for the first time nothing hangs.
  const hanging = before && (await loadSeldomParts())
  const detached = hanging && (await hanging.detachObjects(tx, dropped, before.tables))
  const emptied = (before?.tables ?? []).filter(({ id }) => kept.has(id))
  await makeTables(tx, [dropAside(), ...emptied.map((table) => `DELETE FROM ${quoteTable(table)};`), ...statements])
  if (!hanging || !detached) return
  for (const loss of await hanging.remakeObjects(tx, detached)) warn(loss)
}

async function finishLoad({ db, signal, onCopiesChanged, outbox }: HydrationOptions, copy: Copy): Promise<Copy> {
  if (signal.aborted) throw new TidemarkError('unavailable', 'The hydration was broken off.')
  // What is shown by now is replaced at the join.
  if (copy.place === 'aside') await loadSeldomParts()
  const finished = await withServerRows(db, async (tx) => {
    await ensurePrimaryKeys(tx, copy.tables.values())
    await setStage(tx, copy.place, 'window')
    const [loaded] = (await readCopies(tx)).filter(({ place }) => place === copy.place)
    if (!loaded) throw new TidemarkError('internal', 'The copy just loaded is not there.')
    return loaded.cursor >= fenceOf(loaded) ? joinCopy(tx, loaded, outbox) : loaded
  })
  onCopiesChanged(await readCopies(db))
  return finished
}
