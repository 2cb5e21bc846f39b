import { TidemarkError } from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import type { Copy } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import { readLoadedChunks } from '../store/rows/chunk-rows.ts'
import { readWatched } from '../store/server-rows.ts'
import { type ChunkJob, ChunkPipeline, type LoadedBytes } from './chunk-download.ts'
import { loadChunks } from './load-chunks.ts'
import { refuseTable } from './refuse-table.ts'
import { isLasting } from './refused-tables.ts'

export interface HydrationProgress {
  readonly rows: number
  readonly totalRows: number
  /** Compressed, as downloaded. */
  readonly bytes: number
  readonly totalBytes: number
}

/**
 * Chunks of one table are joined into one COPY of as much as was loaded before, up to this: the first rows come soon, and
 * many small COPYs cost PGlite twice the time of few.
 */
const LOAD_BYTES = 8 * 1024 * 1024
/** A downloaded chunk waits no longer than this for more to be loaded with it. */
const GATHER_MS = 250

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

/** The ways by which chunks come in, and where progress is reported. */
export interface LoadOptions {
  readonly db: Database
  readonly http: Http
  readonly signal: AbortSignal
  readonly onProgress: (progress: HydrationProgress) => void
}

/**
 * Loads the chunks of a copy that are missing, and leaves out a table whose rows the database does not take.
 *
 * Throws `corrupt`, `not-found`, `unavailable`.
 */
export async function loadCopy({ db, http, signal, onProgress }: LoadOptions, loading: Copy): Promise<Copy> {
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
  onProgress({ ...so })
  const pipeline = new ChunkPipeline(http, missing, signal)
  const nextLookedAt = async () => {
    // A copy aside is shown as a whole, so no order of its chunks is better.
    if (copy.place === 'live') pipeline.preferTables(await watchedTables(db, copy))
    return pipeline.nextChunk()
  }
  let loadedBytes = 0
  for (let next = await nextLookedAt(); next; next = await nextLookedAt()) {
    const { group, size, fault } = await gatherChunks(pipeline, next, Math.min(loadedBytes, LOAD_BYTES))
    loadedBytes += size
    if (signal.aborted) throw new TidemarkError('unavailable', 'The hydration was broken off.')
    try {
      await loadChunks(db, copy, group)
    } catch (error) {
      if (!isLasting(error)) throw error
      copy = await refuseTable(db, copy, next.job.table, error instanceof Error ? error.message : String(error))
      pipeline.dropTable(next.job.table)
    }
    for (const { job } of group) {
      so.rows += job.chunk.rows
      so.bytes += job.chunk.bytes
    }
    onProgress({ ...so })
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
async function gatherChunks(pipeline: ChunkPipeline, first: LoadedBytes, bytes: number): Promise<Group> {
  const group = [first]
  let size = first.copyText.size
  try {
    for (let job = pipeline.peekJob(); job && sameTarget(job, first.job) && size < bytes; job = pipeline.peekJob()) {
      if (!(await pipeline.waitForNext(GATHER_MS))) break
      const more = await pipeline.nextChunk()
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
