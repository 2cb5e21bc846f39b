import { ERROR_RULES, type ErrorKind } from '../../protocol/index.ts'
import type { HealthNews, MinuteFigures } from '../contracts.ts'
import type { StoredFigures } from './rules/batch-tally.ts'
import type { CaptureCounts, ServerFigures } from './rules/health-figures.ts'
import { MinuteTally } from './rules/minute-figures.ts'

const HOUR_MS = 60 * 60_000

const isKind = (kind: string): kind is ErrorKind => Object.hasOwn(ERROR_RULES, kind)

function addCounts(to: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) to[name] = (to[name] ?? 0) + count
}

/** Counts what was captured, delivered, pushed and built, in memory alone: it begins anew with the object. */
export class CaptureTally {
  readonly #nowMs: () => number
  readonly #sinceMs: number
  readonly #minutes = new MinuteTally()
  readonly #mutations: Record<string, number> = {}
  readonly #faults: Record<string, number> = {}
  #transactions = 0
  #rows = 0
  #builds: CaptureCounts['builds'] = { done: 0, failed: 0, totalMs: 0, lastFault: null }
  /** By how much the server's clock, which says when a commit was, is ahead of ours; null while that is not known. */
  #clockAheadMs: number | null = null

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#sinceMs = nowMs()
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

  get minutes(): readonly MinuteFigures[] {
    return this.#minutes.since(this.#nowMs(), HOUR_MS)
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
