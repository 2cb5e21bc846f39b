import type { Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import type { JournalFiles, Slot } from '../store/journal-files.ts'
import { readShownDefinition } from '../store/rows/journal-rows.ts'
import { OUTBOX_CHANNEL, readNotice } from '../store/rules/outbox-notice.ts'
import { type MadeSince, readEndRecords, readMadeRecords } from './read-outbox.ts'
import { encodeFrames } from './rules/frames.ts'
import { type FrozenRecord, JOURNAL_FORMAT, type JournalRecord, retriedBy } from './rules/records.ts'

/** A file that is larger than this, and than four times what it began with, is begun anew. */
const ANEW_BYTES = 1024 * 1024
/** After a fault, attempts to begin the journal anew lie at least this far apart. */
const AGAIN_MS = 5_000

export type JournalDatabase = Pick<Database, 'query' | 'transaction' | 'listen'>

export interface JournalOptions {
  readonly files: JournalFiles
  /** The database with its original calls, which do not wait for this journal. */
  readonly db: JournalDatabase
  readonly user: string
  readonly client: string
  /** The slot of the file in force, and its generation. */
  readonly slot: Slot
  readonly generation: number
  /** Called with the reason why unsent work has no second copy, and with null once it has one. */
  readonly onFault: (fault: string | null) => void
  readonly nowMs: () => number
}

/**
 * The second copy of unsent work, beside the database: each commit is recorded before its writer is answered.
 *
 * A commit stands even where its record cannot be written: `onFault` is then called with the reason, and the
 * journal is begun anew from the database as soon as possible.
 */
export class Journal {
  readonly #options: JournalOptions
  #slot: Slot
  #generation: number
  /** The highest number that is recorded. */
  #last = 0
  /** The numbers recorded in this file: all, those that neither ended nor failed, and those that failed. */
  #known = new Set<number>()
  #open = new Set<number>()
  #failed = new Set<number>()
  #definitions = new Set<string>()
  #bytes = 0
  #begunBytes = 0
  /** True while a mutation may be made and not recorded. */
  #isMadeDue = false
  /** The mutations that may have ended without a record of it; null where any may have. */
  #endedDue: Set<number> | null = new Set()
  #faultAtMs: number | null = null
  #again: ReturnType<typeof setTimeout> | undefined
  #turn: Promise<unknown> = Promise.resolve()
  /** The recording that was begun last. */
  #recording: Promise<void> = Promise.resolve()
  #hasLeft = false
  #isClosed = false

  constructor(options: JournalOptions) {
    this.#options = options
    this.#slot = options.slot
    this.#generation = options.generation
  }

  /** Begins a file with what the database holds, and follows it from then on. Never rejects. */
  async startRecording(): Promise<void> {
    await this.#options.db.listen(OUTBOX_CHANNEL, (notice) => this.#noteNotice(notice))
    await this.#beginRecording(() => this.#beginAnew())
  }

  /** Notes what a notice of the outbox says, which comes with a commit. */
  #noteNotice(notice: string): void {
    const { confirmed, mayHaveEnded } = readNotice(notice)
    if (mayHaveEnded) this.#endedDue = null
    else if (confirmed.length > 0) for (const counter of confirmed) this.#endedDue?.add(counter)
    else this.#isMadeDue = true
  }

  /** Notes that any mutation may have ended without a notice. */
  noteUnseenEnds(): void {
    this.#endedDue = null
  }

  /** Records what was made, failed or decided on; what was confirmed can wait. Never rejects. */
  async recordUrgent(): Promise<void> {
    if (this.#isMadeDue || this.#endedDue === null || this.#faultAtMs !== null) await this.recordAll()
    else await this.#recording
  }

  /** Records everything that is not recorded yet. Never rejects. */
  async recordAll(): Promise<void> {
    if (this.#isMadeDue || this.#endedDue?.size !== 0 || this.#faultAtMs !== null)
      this.#beginRecording(() => this.#recordDue())
    // What another call has begun to record is due no more, and not recorded yet.
    await this.#recording
  }

  /**
   * Runs a transaction that squashes mutations and freezes others. Unrecorded ones are read before they change, and are
   * recorded with the frozen texts before this resolves. Rejects as the transaction does.
   */
  async runFreezing<Result extends { readonly frozen: readonly FrozenRecord[] }>(
    work: (tx: Executor) => Promise<Result>,
  ): Promise<Result> {
    const { made, result } = await this.#options.db.transaction(async (tx) => {
      const made = await readMadeRecords(tx, this.#last)
      return { made, result: await work(tx) }
    })
    await this.#beginRecording(() => this.#record(made, result.frozen))
    // The next push acknowledges mutations that ended, and the server then forgets how.
    await this.recordAll()
    return result
  }

  /** Records that the user left, so that nothing of this comes back; where that fails, removes the journal instead. */
  async recordLeaving(): Promise<void> {
    const { files } = this.#options
    this.#hasLeft = true
    clearTimeout(this.#again)
    const word = encodeFrames([JSON.stringify({ t: 'left' })])
    await this.#inTurn(() => files.append(this.#slot, word).catch(() => files.remove()))
  }

  /** Removes the journal, after `recordLeaving` and as the last of the user's storage. */
  async remove(): Promise<void> {
    await this.#options.files.remove()
    await this.#options.files.close()
  }

  /** Records what is due while the database is open, and closes the files. After `recordLeaving` only `remove` does. */
  async close(): Promise<void> {
    if (this.#hasLeft) return
    await this.recordAll()
    this.#isClosed = true
    clearTimeout(this.#again)
    await this.#inTurn(() => this.#options.files.close())
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const running = this.#turn.then(work)
    this.#turn = running.catch(() => undefined)
    return running
  }

  /** Others wait for it too, because any recording may begin the file anew, and so take up what is due. */
  #beginRecording(work: () => Promise<void>): Promise<void> {
    this.#recording = this.#inTurn(() => this.#recordOrReport(work))
    return this.#recording
  }

  async #recordOrReport(work: () => Promise<void>): Promise<void> {
    const { onFault, nowMs } = this.#options
    if (this.#hasLeft || this.#isClosed) return
    try {
      if (this.#faultAtMs === null) await work()
      else if (nowMs() - this.#faultAtMs < AGAIN_MS) return
      else await this.#beginAnew()
      if (this.#bytes > ANEW_BYTES && this.#bytes > 4 * this.#begunBytes) await this.#beginAnew()
      if (this.#faultAtMs === null) return
      this.#faultAtMs = null
      onFault(null)
    } catch (error) {
      // Records behind a missing one would be read as if none were missing.
      this.#faultAtMs = nowMs()
      clearTimeout(this.#again)
      this.#again = setTimeout(() => void this.recordAll(), AGAIN_MS)
      onFault(error instanceof Error ? error.message : String(error))
    }
  }

  async #recordDue(): Promise<void> {
    const { db } = this.#options
    const isMadeDue = this.#isMadeDue
    const endedDue = this.#endedDue
    this.#isMadeDue = false
    this.#endedDue = new Set()
    if (isMadeDue) await this.#record(await readMadeRecords(db, this.#last), [])
    const asked = endedDue ?? new Set([...this.#open, ...this.#failed])
    const mine = [...asked].filter((counter) => this.#open.has(counter) || this.#failed.has(counter))
    if (mine.length === 0) return
    const ended = await readEndRecords(db, mine)
    await this.#append(ended.filter((record) => !(record.t === 'failed' && this.#failed.has(record.counter))))
  }

  async #record({ last, records, hash }: MadeSince, frozen: readonly FrozenRecord[]): Promise<void> {
    const fresh = records.filter((record) => 'counter' in record && !this.#known.has(record.counter))
    await this.#append([...(await this.#definitionRecords(hash)), ...fresh, ...frozen])
    this.#last = Math.max(this.#last, last)
  }

  async #definitionRecords(hash: string | null): Promise<JournalRecord[]> {
    if (hash === null || this.#definitions.has(hash)) return []
    const definition = await readShownDefinition(this.#options.db, hash)
    this.#definitions.add(hash)
    return [{ t: 'definition', hash, definition }]
  }

  async #append(records: readonly JournalRecord[]): Promise<void> {
    if (records.length === 0) return
    const bytes = encodeFrames(records.map((record) => JSON.stringify(record)))
    await this.#options.files.append(this.#slot, bytes)
    this.#bytes += bytes.length
    this.#noteRecords(records)
  }

  #noteRecords(records: readonly JournalRecord[]): void {
    for (const record of records) {
      if (record.t === 'made') {
        this.#known.add(record.counter)
        this.#open.add(record.counter)
        const retried = retriedBy(record.origin)
        if (retried !== null) this.#failed.delete(retried)
      }
      if (record.t === 'frozen') for (const one of record.took) this.#open.delete(one)
      if (record.t === 'failed' || record.t === 'ended') this.#open.delete(record.counter)
      if (record.t === 'failed') this.#failed.add(record.counter)
      if (record.t === 'ended') this.#failed.delete(record.counter)
    }
  }

  /** Seals the next file before the last one goes, so that one of them is complete wherever this is cut short. */
  async #beginAnew(): Promise<void> {
    const { files, db, user, client } = this.#options
    this.#isMadeDue = false
    this.#endedDue = new Set()
    this.#definitions = new Set()
    const { last, records, hash } = await readMadeRecords(db, 0)
    const all: JournalRecord[] = [
      { t: 'begun', format: JOURNAL_FORMAT, generation: this.#generation + 1, user, client },
      ...(await this.#definitionRecords(hash)),
      ...records,
      { t: 'sealed', counter: last },
    ]
    const bytes = encodeFrames(all.map((record) => JSON.stringify(record)))
    const next: Slot = this.#slot === 0 ? 1 : 0
    await files.replace(next, bytes)
    const before = this.#slot
    this.#slot = next
    this.#generation += 1
    this.#last = last
    this.#known = new Set()
    this.#open = new Set()
    this.#failed = new Set()
    this.#bytes = bytes.length
    this.#begunBytes = bytes.length
    this.#noteRecords(all)
    await files.replace(before, new Uint8Array())
  }
}
