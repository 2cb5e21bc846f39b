import { type ManifestChunk, TidemarkError } from '../../protocol/index.ts'
import type { Http } from '../connection/http.ts'
import { gunzip } from './gunzip.ts'

/** A chunk of COPY text of one audience's rows of one table. */
export interface ChunkJob {
  readonly audience: string
  readonly table: string
  readonly columns: readonly string[]
  readonly position: number
  readonly chunk: ManifestChunk
}

export interface LoadedBytes {
  readonly job: ChunkJob
  readonly copyText: Blob
}

const ATTEMPTS = 3
const PARALLEL = 8
/** Chunks in memory at once, downloading or waiting for their turn to load. */
const AHEAD = 12

export const snapshotPath = (audience: string) => `/sync/snapshot/${encodeURIComponent(audience)}`

async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/**
 * Downloads one chunk, again when it breaks off or fails its checksum, at most `ATTEMPTS` times.
 *
 * Throws `not-found` when the server no longer has it, `corrupt` when its bytes stay wrong, else the last fault.
 */
async function download(http: Http, job: ChunkJob, signal: AbortSignal): Promise<LoadedBytes> {
  const path = `${snapshotPath(job.audience)}/${job.chunk.id}`
  let fault: TidemarkError | null = null
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      const bytes = await http.bytes(path, signal, { fresh: attempt > 0 })
      if ((await sha256Hex(bytes)) === job.chunk.id) return { job, copyText: await gunzip(bytes) }
      fault = new TidemarkError('corrupt', `A chunk of ${job.table} fails its checksum.`)
    } catch (error) {
      fault =
        error instanceof TidemarkError
          ? error
          : new TidemarkError('corrupt', `A chunk of ${job.table} is broken.`, { cause: error })
      if (signal.aborted || fault.retry !== 'retry') throw fault
    }
  }
  throw fault ?? new TidemarkError('internal', 'No attempt was made.')
}

interface Slot {
  readonly job: ChunkJob
  readonly promise: Promise<LoadedBytes>
}

/** Chunks in the order of the jobs, a few downloaded ahead of the one that is asked for. */
export class ChunkPipeline {
  #http: Http
  /** The jobs that are not begun yet. */
  #jobs: ChunkJob[]
  #signal: AbortSignal
  #active = 0
  #slots: Slot[] = []

  constructor(http: Http, jobs: readonly ChunkJob[], signal: AbortSignal) {
    this.#http = http
    this.#jobs = [...jobs]
    this.#signal = signal
  }

  /** Waits for the next chunk and answers it; null after the last. */
  async nextChunk(): Promise<LoadedBytes | null> {
    this.#start()
    const slot = this.#slots.shift()
    if (!slot) return null
    const loaded = await slot.promise
    this.#start()
    return loaded
  }

  /** Answers whether the next chunk is here, or has failed, within this time. */
  async waitForNext(withinMs: number): Promise<boolean> {
    this.#start()
    const [slot] = this.#slots
    if (!slot) return false
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), withinMs)
    })
    const yes = () => true
    const here = await Promise.race([slot.promise.then(yes, yes), late])
    clearTimeout(timer)
    return here
  }

  /** Answers the job whose chunk is next; null after the last. */
  peekJob(): ChunkJob | null {
    return (this.#slots[0]?.job ?? this.#jobs[0]) || null
  }

  /** Brings the chunks of these tables, and of their several audiences in order, before all others. */
  preferTables(tables: ReadonlySet<string>): void {
    this.#jobs = preferred(this.#jobs, ({ table }) => tables.has(table))
    this.#slots = preferred(this.#slots, ({ job }) => tables.has(job.table))
  }

  /** Forgets the chunks of a table. */
  dropTable(table: string): void {
    this.#jobs = this.#jobs.filter((job) => job.table !== table)
    this.#slots = this.#slots.filter(({ job }) => job.table !== table)
  }

  #start(): void {
    while (this.#active < PARALLEL && this.#slots.length < AHEAD) {
      const job = this.#jobs.shift()
      if (!job) return
      this.#active += 1
      const slot: Slot = { job, promise: download(this.#http, job, this.#signal) }
      this.#slots.push(slot)
      const onEnd = () => {
        this.#active -= 1
        if (!this.#signal.aborted) this.#start()
      }
      slot.promise.then(onEnd, onEnd)
    }
  }
}

function preferred<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): Item[] {
  return [...items.filter(isFirst), ...items.filter((item) => !isFirst(item))]
}
