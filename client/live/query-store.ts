import type { MapRows } from './drizzle-mapping.ts'
import type { ClientQuery, LiveClient } from './live-client.ts'
import type { HeldResult, LiveMessage, QueryText } from './live-messages.ts'
import type { LiveRows, LiveStore } from './live-rows.ts'
import { applyDiff, isUnchanged, type RowPart } from './rules/diff-rows.ts'
import { errorOf } from './rules/live-fault.ts'

/** The time for which a query runs on when nobody looks: a page that is built anew looks again at once. */
const LINGER_MS = 1_000
const NOTHING: LiveRows<never> = { rows: null, error: null, runs: 0 }
const NO_RESULT: HeldResult = { fields: [], rows: [] }

/** A live query as a page has it: one for all who ask the same. Rules LIV-R5, LIV-R8. */
export class QueryStore implements LiveStore<unknown> {
  readonly #query: QueryText
  readonly #mapRows: MapRows
  readonly #client: LiveClient
  readonly #listeners = new Set<() => void>()
  #open: ClientQuery | null = null
  #linger: ReturnType<typeof setTimeout> | null = null
  #snapshot: LiveRows<unknown> = NOTHING
  #raw: HeldResult = NO_RESULT
  #isEnded = false

  constructor(query: QueryText, mapRows: MapRows, client: LiveClient) {
    this.#query = query
    this.#mapRows = mapRows
    this.#client = client
  }

  readonly getSnapshot = (): LiveRows<unknown> => this.#snapshot

  /** The snapshot's rows as Postgres' text. */
  get raw(): HeldResult {
    return this.#raw
  }

  /** Its query has ended by an error for good. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    // Each call has an end of its own, also where the listener is the same.
    const own = () => listener()
    this.#listeners.add(own)
    this.#begin()
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return
      this.#linger ??= lingering(() => this.#end())
    }
  }

  /** Runs it again; resolves when the result is shown. Only for who has subscribed. */
  async refresh(): Promise<void> {
    await this.#open?.refresh()
  }

  /** Shows no rows from now on, and nothing that comes. Rule TAB-R22. */
  empty(): void {
    this.#open?.close()
    this.#open = null
    this.#raw = NO_RESULT
    this.#isEnded = true
    this.#change({ rows: [] })
  }

  #begin(): void {
    if (this.#linger !== null) clearTimeout(this.#linger)
    this.#linger = null
    if (this.#open !== null) return
    const opened: ClientQuery = this.#client.open(this.#query, {
      held: () => this.#raw,
      onResult: (message) => void this.#showResult(message, opened),
      onFault: ({ fault, isFinal }) => {
        this.#isEnded = isFinal
        this.#change({ error: errorOf(fault) })
      },
    })
    this.#open = opened
  }

  /** What is no longer run is no longer shown. */
  #end(): void {
    this.#linger = null
    this.#open?.close()
    this.#open = null
    this.#snapshot = NOTHING
    this.#raw = NO_RESULT
    this.#isEnded = false
  }

  /** Nothing else comes of this query until the result is acknowledged. */
  async #showResult({ fields, parts }: LiveMessage & { readonly type: 'result' }, opened: ClientQuery): Promise<void> {
    const held = this.#raw
    const raw = { fields: fields ?? held.fields, rows: applyDiff(held.rows, parts) }
    const fresh = parts.flatMap((part) => ('rows' in part ? part.rows : []))
    try {
      const mapping = this.#mapRows(fresh, raw.fields)
      const mapped = Array.isArray(mapping) ? mapping : await mapping
      if (this.#open !== opened) return
      const rows = isUnchanged(parts, held.rows.length)
        ? this.#snapshot.rows
        : applyDiff(this.#snapshot.rows ?? [], place(parts, mapped))
      this.#raw = raw
      this.#change({ rows: rows ?? [] })
    } catch (error) {
      if (this.#open !== opened) return
      // The rows of a later result are differences to these, which are not there.
      this.#isEnded = true
      this.#change({ error: error instanceof Error ? error : new Error(String(error)) })
      return
    }
    opened.acknowledge()
  }

  #change(change: Partial<LiveRows<unknown>>): void {
    this.#snapshot = { rows: this.#snapshot.rows, error: null, ...change, runs: this.#snapshot.runs + 1 }
    for (const listener of [...this.#listeners]) callListener(listener)
  }
}

/** Puts made rows in the places of those that they were made of. */
function place(parts: readonly RowPart[], made: readonly unknown[]): RowPart<unknown>[] {
  let at = 0
  return parts.map((part) => {
    if ('from' in part) return part
    const rows = made.slice(at, at + part.rows.length)
    at += part.rows.length
    return { rows }
  })
}

/** A listener that throws harms no other: its error is the app's own uncaught one. */
function callListener(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

/** A timer that keeps no process alive. */
function lingering(end: () => void): ReturnType<typeof setTimeout> {
  const timer = setTimeout(end, LINGER_MS)
  if (typeof timer === 'object') (timer as { unref?: () => void }).unref?.()
  return timer
}
