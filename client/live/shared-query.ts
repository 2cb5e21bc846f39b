import type { RawRow } from '../store/text-result.ts'
import type { HeldResult, LiveFault, LiveQueryDescription, QueryText } from './live-messages.ts'
import { diffRows, isUnchanged } from './rules/diff-rows.ts'
import { isTouched, type KeyFilter, type Notice } from './rules/notice.ts'
import type { Outcome, Subscription } from './subscription.ts'

/** What runs a query again. */
export interface Dependencies {
  /** Names by oid. */
  readonly tables: ReadonlyMap<number, string>
  readonly filters: readonly KeyFilter[]
  /** Each commit. */
  readonly always: boolean
}

/** The latest that is known of the database's transactions when a run begins. */
export interface RunStart {
  readonly xact: number
}

/** A query that runs once for all who have it open, and what is known of it. */
export class SharedQuery {
  readonly query: QueryText
  readonly subscriptions = new Set<Subscription>()
  /** Null until it is examined, and again once the schema has changed. */
  dependencies: Dependencies | null = null
  #isWaiting = false
  #wasOpen = false
  #result: HeldResult | null = null
  #fault: LiveFault | null = null
  #isEnded = false
  #isStale = true
  #isRunning = false
  #ranAfter = -1
  #runs = 0
  #lastMs = 0
  #totalMs = 0

  constructor(query: QueryText) {
    this.query = query
  }

  get outcome(): Outcome {
    return { result: this.#result, fault: this.#fault, isFinal: this.#isEnded }
  }

  get isWaiting(): boolean {
    return this.#isWaiting
  }

  /** A commit has touched what it reads, and no run has begun since. */
  get isStale(): boolean {
    return this.#isStale
  }

  /** It has been run, so that an error of its form is the schema's. */
  get wasOpen(): boolean {
    return this.#wasOpen
  }

  get fault(): LiveFault | null {
    return this.#fault
  }

  /** Somebody is to get a result that is not there. */
  get needsRun(): boolean {
    if (this.#isEnded || (this.#isWaiting && !this.#isStale)) return false
    const subscriptions = [...this.subscriptions]
    return subscriptions.some((one) => one.isRefreshing || (this.#isStale && !one.isBusy))
  }

  /** Notes a commit; one that a run has begun after is in that run's result. Answers whether it counts. */
  noteNotice(notice: Notice): boolean {
    if (this.#isWaiting || notice.xact <= this.#ranAfter) return false
    if (notice.table === null) this.dependencies = null
    else if (!this.#mayRead(notice, notice.table)) return false
    this.#isStale = true
    return true
  }

  #mayRead(notice: Notice, table: number): boolean {
    // What is being examined may read anything.
    if (this.dependencies === null) return this.#isRunning
    return this.dependencies.tables.has(table) && isTouched(notice, this.dependencies.filters)
  }

  markStale(): void {
    this.#isStale = true
  }

  /** Answers the function to call with the end of the run. */
  beginRun({ xact }: RunStart): (end: RunEnd) => void {
    this.#isStale = false
    this.#ranAfter = xact
    this.#isRunning = true
    this.#isWaiting = false
    const served = [...this.subscriptions].map((one) => one.beginRun())
    return (end) => {
      this.#isRunning = false
      if ('waits' in end) {
        this.#isWaiting = true
        return
      }
      for (const done of served) done()
      this.#note(end)
      this.#deliver()
    }
  }

  /** Ends it for all who have it open. */
  endWith(fault: LiveFault): void {
    this.#fault = fault
    this.#isEnded = true
    this.#deliver()
  }

  #deliver(): void {
    for (const one of [...this.subscriptions]) one.deliver(this.outcome)
  }

  #note(end: Exclude<RunEnd, { readonly waits: true }>): void {
    this.#runs += 1
    this.#lastMs = end.tookMs
    this.#totalMs += end.tookMs
    if ('fault' in end) {
      this.#fault = end.fault
      this.#isEnded = end.isFinal
      return
    }
    this.#wasOpen = true
    this.#fault = null
    // An unchanged result stays the same object, so that nobody compares it again.
    if (this.#result === null || !isSame(this.#result, end.result)) this.#result = end.result
  }

  describe(): LiveQueryDescription {
    const { tables, filters, always } = this.dependencies ?? { tables: new Map(), filters: [], always: false }
    return {
      text: this.query.text,
      params: this.query.params.length,
      clients: this.subscriptions.size,
      tables: [...tables.values()],
      keys: filters.map(({ column }) => column),
      runsAlways: always,
      state: this.#isEnded ? 'ended' : this.#isWaiting ? 'waiting' : this.#wasOpen ? 'open' : 'new',
      rows: this.#result?.rows.length ?? 0,
      runs: this.#runs,
      lastMs: this.#lastMs,
      totalMs: this.#totalMs,
    }
  }
}

/** The end of a run: `waits` for tables that are not there yet. */
export type RunEnd =
  | { readonly tookMs: number; readonly result: HeldResult }
  | { readonly tookMs: number; readonly fault: LiveFault; readonly isFinal: boolean }
  | { readonly waits: true }

function isSame(one: HeldResult, other: HeldResult): boolean {
  if (one.rows.length !== other.rows.length || JSON.stringify(one.fields) !== JSON.stringify(other.fields)) return false
  return isUnchanged(diffRows(one.rows as readonly RawRow[], other.rows), one.rows.length)
}
