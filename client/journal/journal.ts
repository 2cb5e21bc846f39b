import type { Executor } from '../store/copies.ts'
import type { Database } from '../store/database.ts'
import type { JournalFiles, Slot } from '../store/journal-files.ts'
import { OUTBOX_CHANNEL, readNotice } from '../store/rules/outbox-notice.ts'
import { type MadeSince, readCapturedUnder, readEnded, readMadeSince } from './read-outbox.ts'
import { encodeFrames } from './rules/frames.ts'
import { type FrozenRecord, JOURNAL_FORMAT, type JournalRecord, retriedBy } from './rules/records.ts'

/** A file that is larger than this, and than four times what it began with, is begun anew. */
const ANEW_BYTES = 1024 * 1024
/** After a fault the journal is tried to be made anew at most this often. */
const AGAIN_MS = 5_000

export type JournalDatabase = Pick<Database, 'query' | 'transaction' | 'listen'>

export interface JournalOptions {
  readonly files: JournalFiles
  /** The database as it was before its calls waited for this journal. */
  readonly db: JournalDatabase
  readonly user: string
  readonly client: string
  /** Where the last file lies, and its generation. */
  readonly slot: Slot
  readonly generation: number
  /** Hears why unsent work has no second copy; null once it has. */
  readonly protectedBy: (fault: string | null) => void
  readonly nowMs: () => number
}

/**
 * The second copy of unsent work, beside the database: written after each commit, and before anybody is told of it.
 *
 * A commit stands whatever becomes of its record: where that cannot be written, `protectedBy` hears so, and the journal is made
 * anew from the database as soon as it can.
 */
export class Journal {
  readonly #options: JournalOptions
  #slot: Slot
  #generation: number
  /** The highest number that is recorded. */
  #last = 0
  /** Recorded in this file; of those the ones that are neither ended nor failed, and the ones that failed. */
  #known = new Set<number>()
  #open = new Set<number>()
  #failed = new Set<number>()
  #definitions = new Set<string>()
  #bytes = 0
  #begunBytes = 0
  /** A mutation was made that is not recorded. */
  #isMadeDue = false
  /** Which may have ended that are not recorded so; null: any. */
  #endedDue: Set<number> | null = new Set()
  #faultAtMs: number | null = null
  #again: ReturnType<typeof setTimeout> | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #hasLeft = false
  #isClosed = false

  constructor(options: JournalOptions) {
    this.#options = options
    this.#slot = options.slot
    this.#generation = options.generation
  }

  /** Begins a file with what the database holds, and follows it from then on. Never rejects. */
  async begin(): Promise<void> {
    await this.#options.db.listen(OUTBOX_CHANNEL, (notice) => this.#heard(notice))
    await this.#inTurn(() => this.#protect(() => this.#beginAnew()))
  }

  /** Hears what the outbox tells of a commit. */
  #heard(notice: string): void {
    const { confirmed, mayHaveEnded } = readNotice(notice)
    if (mayHaveEnded) this.#endedDue = null
    else if (confirmed.length > 0) for (const counter of confirmed) this.#endedDue?.add(counter)
    else this.#isMadeDue = true
  }

  /** Some may have ended of which no notice told. */
  mayHaveEnded(): void {
    this.#endedDue = null
  }

  /** Records what was made, failed or decided on; what was confirmed can wait. Never rejects. */
  async settle(): Promise<void> {
    if (this.#isMadeDue || this.#endedDue === null || this.#faultAtMs !== null) await this.settleAll()
  }

  /** Records everything that is not. Never rejects. */
  async settleAll(): Promise<void> {
    if (!this.#isMadeDue && this.#endedDue?.size === 0 && this.#faultAtMs === null) return
    await this.#inTurn(() => this.#protect(() => this.#recordDue()))
  }

  /**
   * Runs a transaction that takes mutations in and freezes others: what is not recorded is read before they change, and
   * recorded with what was frozen before this resolves. Rejects as the transaction does.
   */
  async freezing<Result extends { readonly frozen: readonly FrozenRecord[] }>(
    work: (tx: Executor) => Promise<Result>,
  ): Promise<Result> {
    const { made, result } = await this.#options.db.transaction(async (tx) => {
      const made = await readMadeSince(tx, this.#last)
      return { made, result: await work(tx) }
    })
    await this.#inTurn(() => this.#protect(() => this.#record(made, result.frozen)))
    // The server forgets how those ended that are acknowledged next.
    await this.settleAll()
    return result
  }

  /** Writes that the user has left, so that nothing of this comes back; where there is no room for that word, all of it goes at once. */
  async leave(): Promise<void> {
    const { files } = this.#options
    this.#hasLeft = true
    clearTimeout(this.#again)
    const word = encodeFrames([JSON.stringify({ t: 'left' })])
    await this.#inTurn(() => files.append(this.#slot, word).catch(() => files.remove()))
  }

  /** After `leave`, as the last of what the user's storage holds. */
  async remove(): Promise<void> {
    await this.#options.files.remove()
    await this.#options.files.close()
  }

  /** Before the database is closed, from which it takes what is not recorded. One that was left stays until it is removed. */
  async close(): Promise<void> {
    if (this.#hasLeft) return
    await this.settleAll()
    this.#isClosed = true
    clearTimeout(this.#again)
    await this.#inTurn(() => this.#options.files.close())
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const running = this.#turn.then(work)
    this.#turn = running.catch(() => undefined)
    return running
  }

  async #protect(work: () => Promise<void>): Promise<void> {
    const { protectedBy, nowMs } = this.#options
    if (this.#hasLeft || this.#isClosed) return
    try {
      if (this.#faultAtMs === null) await work()
      else if (nowMs() - this.#faultAtMs < AGAIN_MS) return
      else await this.#beginAnew()
      if (this.#bytes > ANEW_BYTES && this.#bytes > 4 * this.#begunBytes) await this.#beginAnew()
      if (this.#faultAtMs === null) return
      this.#faultAtMs = null
      protectedBy(null)
    } catch (error) {
      // What follows a record that is missing would be taken for all there is.
      this.#faultAtMs = nowMs()
      clearTimeout(this.#again)
      this.#again = setTimeout(() => void this.settleAll(), AGAIN_MS)
      protectedBy(error instanceof Error ? error.message : String(error))
    }
  }

  async #recordDue(): Promise<void> {
    const { db } = this.#options
    const isMadeDue = this.#isMadeDue
    const endedDue = this.#endedDue
    this.#isMadeDue = false
    this.#endedDue = new Set()
    if (isMadeDue) await this.#record(await readMadeSince(db, this.#last), [])
    const asked = endedDue ?? new Set([...this.#open, ...this.#failed])
    const mine = [...asked].filter((counter) => this.#open.has(counter) || this.#failed.has(counter))
    if (mine.length === 0) return
    const ended = await readEnded(db, mine)
    await this.#append(ended.filter((record) => !(record.t === 'failed' && this.#failed.has(record.counter))))
  }

  async #record({ last, records, hash }: MadeSince, frozen: readonly FrozenRecord[]): Promise<void> {
    const fresh = records.filter((record) => 'counter' in record && !this.#known.has(record.counter))
    await this.#append([...(await this.#definition(hash)), ...fresh, ...frozen])
    this.#last = Math.max(this.#last, last)
  }

  async #definition(hash: string | null): Promise<JournalRecord[]> {
    if (hash === null || this.#definitions.has(hash)) return []
    const definition = await readCapturedUnder(this.#options.db, hash)
    this.#definitions.add(hash)
    return [{ t: 'definition', hash, definition }]
  }

  async #append(records: readonly JournalRecord[]): Promise<void> {
    if (records.length === 0) return
    const bytes = encodeFrames(records.map((record) => JSON.stringify(record)))
    await this.#options.files.append(this.#slot, bytes)
    this.#bytes += bytes.length
    this.#note(records)
  }

  #note(records: readonly JournalRecord[]): void {
    for (const record of records) {
      if (record.t === 'made') {
        this.#known.add(record.counter)
        this.#open.add(record.counter)
        const retried = retriedBy(record.origin)
        if (retried !== null) this.#failed.delete(retried)
      }
      if (record.t === 'frozen') for (const taken of record.took) this.#open.delete(taken)
      if (record.t === 'failed' || record.t === 'ended') this.#open.delete(record.counter)
      if (record.t === 'failed') this.#failed.add(record.counter)
      if (record.t === 'ended') this.#failed.delete(record.counter)
    }
  }

  /** The next file is sealed before the last one goes: whenever this is cut, one of them tells everything. */
  async #beginAnew(): Promise<void> {
    const { files, db, user, client } = this.#options
    this.#isMadeDue = false
    this.#endedDue = new Set()
    this.#definitions = new Set()
    const { last, records, hash } = await readMadeSince(db, 0)
    const all: JournalRecord[] = [
      { t: 'begun', format: JOURNAL_FORMAT, generation: this.#generation + 1, user, client },
      ...(await this.#definition(hash)),
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
    this.#note(all)
    await files.replace(before, new Uint8Array())
  }
}
