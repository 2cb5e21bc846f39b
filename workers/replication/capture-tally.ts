import { ERROR_RULES, type ErrorKind } from '../../protocol/index.ts'
import type { HealthNews, MinuteFigures } from '../contracts.ts'
import type { StoredFigures } from './rules/batch-tally.ts'
import type { CaptureCounts, ServerFigures } from './rules/health-figures.ts'
import { MinuteTally } from './rules/minute-figures.ts'

const HOUR_MS = 60 * 60_000
/** A minute is stored as it is once this long has passed, because each row written costs. */
const KEEP_EVERY_MS = 60_000

/** Where minutes outlive the object. */
export interface KeptMinutes {
  readonly most: number
  read(): readonly MinuteFigures[]
  write(minutes: readonly MinuteFigures[]): void
}

const NOWHERE: KeptMinutes = { most: 60, read: () => [], write: () => {} }

const isKind = (kind: string): kind is ErrorKind => Object.hasOwn(ERROR_RULES, kind)

function addCounts(to: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) to[name] = (to[name] ?? 0) + count
}

/** Counts what was captured, delivered, pushed and built; it begins anew with the object, but for its minutes. */
export class CaptureTally {
  readonly #nowMs: () => number
  readonly #sinceMs: number
  readonly #minutes: MinuteTally
  readonly #kept: KeptMinutes
  /** Minutes up to this one are stored as they were then. */
  #keptAtMs: number
  /** The last minutes as they were stored. */
  readonly #written = new Map<number, MinuteFigures>()
  readonly #mutations: Record<string, number> = {}
  readonly #faults: Record<string, number> = {}
  #transactions = 0
  #rows = 0
  #builds: CaptureCounts['builds'] = { done: 0, failed: 0, totalMs: 0, lastFault: null }
  /** By how much the server's clock, which says when a commit was, is ahead of ours; null while that is not known. */
  #clockAheadMs: number | null = null

  constructor(nowMs: () => number, kept = NOWHERE) {
    this.#nowMs = nowMs
    this.#sinceMs = nowMs()
    this.#kept = kept
    this.#keptAtMs = nowMs()
    this.#minutes = new MinuteTally(kept.most, kept.read())
  }

  get counts(): CaptureCounts {
    return {
      sinceMs: this.#sinceMs,
      transactions: this.#transactions,
      rows: this.#rows,
      mutations: { ...this.#mutations },
      faults: { ...this.#faults },
      builds: this.#builds,
    }
  }

  /** The last hour. */
  get minutes(): readonly MinuteFigures[] {
    return this.#minutes.since(this.#nowMs(), HOUR_MS)
  }

  /** All minutes known. */
  get allMinutes(): readonly MinuteFigures[] {
    return this.#minutes.since(this.#nowMs(), this.#kept.most * KEEP_EVERY_MS)
  }

  /** Stores the minutes since the last time; `isLeaving` where the object may be gone soon. */
  keep(isLeaving: boolean): void {
    const now = this.#nowMs()
    if (!isLeaving && now - this.#keptAtMs < KEEP_EVERY_MS) return
    const changed = this.#minutes.since(now, now - this.#keptAtMs + KEEP_EVERY_MS).filter((one) => !this.#same(one))
    if (changed.length > 0) this.#kept.write(changed)
    for (const minute of changed) this.#written.set(minute.atMs, minute)
    for (const atMs of this.#written.keys()) if (atMs < now - 2 * KEEP_EVERY_MS) this.#written.delete(atMs)
    this.#keptAtMs = now
  }

  #same(minute: MinuteFigures): boolean {
    return this.#written.get(minute.atMs) === minute
  }

  /** Notes a batch once it is stored; `isTimely` where capture did not pause on purpose before, so that its lag counts. */
  noteStored(stored: StoredFigures, isTimely: boolean): void {
    const { transactions, rows, firstCommitMs, outcomes } = stored
    if (rows === 0) return
    this.#transactions += transactions
    this.#rows += rows
    addCounts(this.#mutations, outcomes)
    const storedMs = isTimely ? this.#lagOf(firstCommitMs) : null
    this.#minutes.note(this.#nowMs(), { transactions, rows, storedMs })
  }

  /** Notes that a SyncDO has acknowledged what it had not since this commit. */
  noteDelivered(commitMs: number): void {
    this.#minutes.note(this.#nowMs(), { deliveredMs: this.#lagOf(commitMs) })
  }

  noteServer({ clockAheadMs, retainedWalBytes }: ServerFigures): void {
    this.#clockAheadMs = clockAheadMs
    this.#minutes.note(this.#nowMs(), { retainedWalBytes })
  }

  /** Takes what other objects report; unknown kinds of errors are not counted. */
  report({ faults = {}, build }: HealthNews): void {
    const known = Object.entries(faults).filter(([kind]) => isKind(kind))
    addCounts(this.#faults, Object.fromEntries(known))
    const serverFaults = known.filter(([kind]) => isKind(kind) && ERROR_RULES[kind].httpStatus >= 500)
    const count = serverFaults.reduce((sum, [, more]) => sum + more, 0)
    if (count > 0) this.#minutes.note(this.#nowMs(), { faults: count })
    if (build === undefined) return
    const { done, failed, totalMs } = this.#builds
    const isDone = build.fault === null
    this.#builds = {
      done: done + (isDone ? 1 : 0),
      failed: failed + (isDone ? 0 : 1),
      totalMs: totalMs + build.ms,
      lastFault: build.fault,
    }
  }

  #lagOf(commitMs: number | null): number | null {
    if (commitMs === null || this.#clockAheadMs === null) return null
    return Math.max(0, Math.round(this.#nowMs() + this.#clockAheadMs - commitMs))
  }
}
