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
  type Definition,
  type DefinitionAnswer,
  definitionAnswerSchema,
  type Lsn,
  type Manifest,
  manifestSchema,
  maxLsn,
  minLsn,
  parsePgSnapshot,
  quoteTable,
  TidemarkError,
  ZERO_LSN,
} from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import { sealNew } from '../mutations/seal.ts'
import { type Copy, deleteCopy, type Executor, insertCopy, readCopies, setStage } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { createAside, dropAside, replaceTables, retiredName } from '../store/definition-ddl.ts'
import { heldDefinition, heldTables, type Refused } from '../store/held-tables.ts'
import { makeTables } from '../store/make-tables.ts'
import { readLoadedChunks } from '../store/rows/chunk-rows.ts'
import { forgetAside } from '../store/rows/outcome-rows.ts'
import { readWatched, withServerRows } from '../store/server-rows.ts'
import { storageFault } from '../store/storage-fault.ts'
import { type ChunkJob, ChunkPipeline, type LoadedBytes, snapshotPath } from './chunk-download.ts'
import { type Envelope, envelopeFault } from './envelope.ts'
import { fenceOf } from './fence.ts'
import { putBack, takeDown } from './hanging.ts'
import { ensurePrimaryKeys, join } from './join.ts'
import { compareSnapshots } from './join-window.ts'
import { loadChunks } from './load-chunks.ts'
import type { PendingWork } from './pending-work.ts'
import { refuseTable } from './refuse-table.ts'
import { isLasting, refusedTables } from './refused-tables.ts'

export interface HydrationProgress {
  readonly rows: number
  readonly totalRows: number
  /** Compressed, as downloaded. */
  readonly bytes: number
  readonly totalBytes: number
}

/** The facts about the server by which a hydration goes. */
export interface HydrationTarget {
  /** Null after the server said on an open socket to begin anew: the snapshots then name the epoch. */
  readonly epoch: string | null
  readonly definitionHash: string | null
  readonly definitionVersion: number
  readonly head: Lsn
  readonly audiences: readonly string[]
}

export interface HydrationOptions {
  readonly db: Database
  readonly http: Http
  readonly welcome: HydrationTarget
  readonly envelope: Envelope
  readonly signal: AbortSignal
  readonly progress: (progress: HydrationProgress) => void
  /** Called whenever the copies change, with all there are. */
  readonly changed: (copies: readonly Copy[]) => void
  /** Answers the tables of a definition that are known not to be held here. */
  readonly refusedOf: (epoch: string, version: number) => Refused
  readonly outbox: Pick<PendingWork, 'actions' | 'askBeforeJoin' | 'warn'>
}

/**
 * Chunks of one table are joined into one COPY of as much as was loaded before, up to this: the first rows come soon, and
 * many small COPYs cost PGlite twice the time of few.
 */
const LOAD_BYTES = 8 * 1024 * 1024
/** A downloaded chunk waits no longer than this for more to be loaded with it. */
const GATHER_MS = 250
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
  let copy = await resumable(options)
  let fault: TidemarkError | null = null
  for (let round = 0; round < MANIFEST_ROUNDS; round++) {
    copy ??= await begin(options)
    try {
      copy = await load(options, copy)
      // The snapshots are taken by now, so outcomes that are not decided yet come in the stream.
      await options.outbox.askBeforeJoin(copy.epoch, options.signal)
      return await finish(options, copy)
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

async function resumable({ db, welcome, envelope }: HydrationOptions): Promise<Copy | null> {
  const copies = await readCopies(db)
  const copy = copies.find(({ stage }) => stage === 'loading')
  if (!copy || copy.epoch !== welcome.epoch || copy.definition.hash !== welcome.definitionHash) return null
  if (copy.definition.version !== welcome.definitionVersion) return null
  // A load beyond the envelope is begun anew, because the server may have less by now.
  return sameAudiences(copy, welcome.audiences) && !envelopeFault(envelope, copy.manifests) ? copy : null
}

/** Fetches a manifest for each audience, of one history, in the order of their snapshots. Throws `unavailable`. */
export async function fetchManifests({
  http,
  welcome,
  signal,
}: Pick<HydrationOptions, 'http' | 'welcome' | 'signal'>): Promise<Manifest[]> {
  const manifests: Manifest[] = []
  // One after another, because each may make the server read the database.
  for (const audience of welcome.audiences) {
    const parsed = manifestSchema.safeParse(await http.json(snapshotPath(audience), signal))
    if (!parsed.success) {
      throw new TidemarkError('unavailable', 'The answer to a manifest is not one: a captive portal or a proxy?', {
        cause: parsed.error,
      })
    }
    manifests.push(parsed.data)
  }
  const epoch = welcome.epoch ?? manifests[0]?.epoch
  const fits = (manifest: Manifest, index: number) =>
    manifest.epoch === epoch &&
    manifest.definitionHash === manifests[0]?.definitionHash &&
    manifest.definitionVersion === manifests[0]?.definitionVersion &&
    manifest.audience === welcome.audiences[index]
  if (!manifests.every(fits)) {
    throw new TidemarkError('unavailable', 'The snapshots are of different histories just now; trying again.')
  }
  return manifests.sort((a, b) => compareSnapshots(parsePgSnapshot(a.snapshot), parsePgSnapshot(b.snapshot)))
}

/** Fetches the definition for a user who may see nothing, to whom no snapshot names it. Throws `unavailable`. */
async function fetchDefinition({
  http,
  welcome,
  signal,
}: Pick<HydrationOptions, 'http' | 'welcome' | 'signal'>): Promise<DefinitionAnswer> {
  const parsed = definitionAnswerSchema.safeParse(await http.json('/sync/definition', signal))
  if (!parsed.success) {
    throw new TidemarkError('unavailable', 'The answer to /sync/definition is not from a Tidemark server.', {
      cause: parsed.error,
    })
  }
  const { epoch, definitionHash } = parsed.data
  const isOfWelcome = (said: string | null, is: string) => said === null || said === is
  if (!isOfWelcome(welcome.epoch, epoch) || !isOfWelcome(welcome.definitionHash, definitionHash))
    throw new TidemarkError('unavailable', 'The definition is being changed just now; trying again.')
  return parsed.data
}

/** Makes room for a new copy: aside, where one is shown that the app goes on seeing; else in its place. */
async function begin(options: HydrationOptions): Promise<Copy> {
  const { db, welcome } = options
  const fetched = await fetchManifests(options)
  const tooMuch = envelopeFault(options.envelope, fetched)
  if (tooMuch) throw tooMuch
  const { epoch, definitionVersion, definitionHash, ...told } = fetched[0] ?? (await fetchDefinition(options))
  const definition = { version: definitionVersion, hash: definitionHash, definition: told.definition }
  const old = (await readCopies(db)).find(({ place }) => place === 'live')
  // Rows of a load that is given up are shown until there are others, so that no list that has rows is emptied.
  const fills = old !== undefined && old.rows > 0 && (old.stage === 'loading' || old.stage === 'window')
  const shows = old !== undefined && (fills || old.stage === 'joined' || old.stage === 'broken')
  // A snapshot may be older than what is shown: it joins no earlier than there, so that the app is not taken back.
  const shownTo = shows && old.epoch === epoch ? maxLsn(old.cursor, fills ? fenceOf(old) : ZERO_LSN) : ZERO_LSN
  const manifests = fetched.map((manifest) => ({ ...manifest, fence: maxLsn(manifest.fence, shownTo) }))
  const [first, ...rest] = manifests.map(({ start }) => start)
  const cursor: Lsn = first === undefined ? ('head' in told ? told.head : welcome.head) : minLsn(first, ...rest)
  const place = shows ? 'aside' : 'live'
  await withServerRows(db, async (tx) => {
    if (fills) await setStage(tx, 'live', 'broken')
    await forgetAside(tx)
    const refused = await refusedTables(tx, old ?? null, definition, options.refusedOf(epoch, definition.version))
    const after = heldDefinition(definition.definition, refused)
    if (shows) await tx.exec(createAside(heldTables(definition.definition, refused, 'aside')).join('\n'))
    else await replaceLive(tx, old ?? null, after, options.outbox.warn)
    await insertCopy(tx, { place, stage: 'loading', epoch, cursor, definition, refused, manifests })
  })
  const copies = await readCopies(db)
  options.changed(copies)
  const copy = copies.find((candidate) => candidate.place === place)
  if (!copy) throw new TidemarkError('internal', 'A copy just recorded is not there.')
  return copy
}

/** Makes empty live tables where the app sees no rows, and puts back the objects that hung on dropped tables. */
async function replaceLive(tx: Executor, old: Copy | null, after: Definition, warn: (loss: string) => void) {
  await deleteCopy(tx, 'aside')
  // Writes captured on tables that are dropped are sealed before, so that they keep their meaning.
  if (old) await sealNew(tx, old.tables)
  const before = old && heldDefinition(old.definition.definition, old.refused)
  const { dropped, kept, statements } = replaceTables(before, after, retiredName())
  const hanging = await takeDown(tx, dropped, before?.tables ?? [])
  const emptied = (before?.tables ?? []).filter(({ id }) => kept.has(id))
  await makeTables(tx, [dropAside(), ...emptied.map((table) => `DELETE FROM ${quoteTable(table)};`), ...statements])
  for (const loss of await putBack(tx, hanging)) warn(loss)
}

/** Lists the chunks of tables in manifest order, and within one of audiences in the order of their snapshots. */
function allJobs(copy: Copy): ChunkJob[] {
  const order = copy.manifests[0]?.tables.map(({ table }) => table) ?? []
  return order.flatMap((table) =>
    copy.manifests.flatMap(({ audience, tables }) =>
      tables
        .filter((entry) => entry.table === table)
        .flatMap(({ columns, chunks }) =>
          chunks.map((chunk, position) => ({ audience, table, columns, position, chunk })),
        ),
    ),
  )
}

const total = (jobs: readonly ChunkJob[], figure: 'rows' | 'bytes') =>
  jobs.reduce((sum, { chunk }) => sum + chunk[figure], 0)

const sameTarget = (a: ChunkJob, b: ChunkJob) => a.table === b.table && a.audience === b.audience

type LoadOptions = Pick<HydrationOptions, 'db' | 'http' | 'signal' | 'progress'>

/**
 * Loads the chunks of a copy that are missing, and leaves out a table whose rows the database does not take.
 *
 * Throws `corrupt`, `not-found`, `unavailable`.
 */
export async function load({ db, http, signal, progress }: LoadOptions, loading: Copy): Promise<Copy> {
  let copy = loading
  const jobs = allJobs(copy).filter(({ table }) => copy.tables.has(table))
  const mark = (audience: string, table: string, position: number) => JSON.stringify([audience, table, position])
  const marks = await readLoadedChunks(db)
  const loaded = new Set(marks.map(({ audience, table, position }) => mark(audience, table, position)))
  const missing = jobs.filter(({ audience, table, position }) => !loaded.has(mark(audience, table, position)))
  const done = jobs.filter(({ audience, table, position }) => loaded.has(mark(audience, table, position)))
  const so = {
    rows: total(done, 'rows'),
    totalRows: total(jobs, 'rows'),
    bytes: total(done, 'bytes'),
    totalBytes: total(jobs, 'bytes'),
  }
  progress({ ...so })
  const pipeline = new ChunkPipeline(http, missing, signal)
  const nextLookedAt = async () => {
    // A copy aside is shown as a whole, so no order of its chunks is better.
    if (copy.place === 'live') pipeline.prefer(await watchedTables(db, copy))
    return pipeline.next()
  }
  let loadedBytes = 0
  for (let next = await nextLookedAt(); next; next = await nextLookedAt()) {
    const { group, size, fault } = await gather(pipeline, next, Math.min(loadedBytes, LOAD_BYTES))
    loadedBytes += size
    if (signal.aborted) throw new TidemarkError('unavailable', 'The hydration was broken off.')
    try {
      await loadChunks(db, copy, group)
    } catch (error) {
      if (!isLasting(error)) throw error
      copy = await refuseTable(db, copy, next.job.table, error instanceof Error ? error.message : String(error))
      pipeline.drop(next.job.table)
    }
    for (const { job } of group) {
      so.rows += job.chunk.rows
      so.bytes += job.chunk.bytes
    }
    progress({ ...so })
    if (fault !== null) throw fault
  }
  return copy
}

interface Group {
  readonly group: readonly LoadedBytes[]
  readonly size: number
  /** The error that ended it early; its chunks are loaded all the same. */
  readonly fault: unknown
}

/** Gathers the chunk and those of its table and audience after it, up to about `bytes`. */
async function gather(pipeline: ChunkPipeline, first: LoadedBytes, bytes: number): Promise<Group> {
  const group = [first]
  let size = first.copyText.size
  try {
    for (let job = pipeline.peek(); job && sameTarget(job, first.job) && size < bytes; job = pipeline.peek()) {
      if (!(await pipeline.arrives(GATHER_MS))) break
      const more = await pipeline.next()
      if (!more) break
      group.push(more)
      size += more.copyText.size
    }
    return { group, size, fault: null }
  } catch (fault) {
    return { group, size, fault }
  }
}

/** Reads which tables the app looks at: those of its open live queries. */
function watchedTables(db: Database, copy: Copy): Promise<ReadonlySet<string>> {
  const tables = [...copy.tables.values()].map(({ id, name }) => ({ id, name }))
  return readWatched(db, tables)
}

async function finish({ db, signal, changed, outbox }: HydrationOptions, copy: Copy): Promise<Copy> {
  if (signal.aborted) throw new TidemarkError('unavailable', 'The hydration was broken off.')
  const finished = await withServerRows(db, async (tx) => {
    await ensurePrimaryKeys(tx, copy.tables.values())
    await setStage(tx, copy.place, 'window')
    const [loaded] = (await readCopies(tx)).filter(({ place }) => place === copy.place)
    if (!loaded) throw new TidemarkError('internal', 'The copy just loaded is not there.')
    return loaded.cursor >= fenceOf(loaded) ? join(tx, loaded, outbox) : loaded
  })
  changed(await readCopies(db))
  return finished
}
