import type { HeldResult, LiveFault, LiveMessage } from './live-messages.ts'
import { diffRows, isUnchanged } from './rules/diff-rows.ts'

/** What a shared query has at the moment. */
export interface Outcome {
  readonly result: HeldResult | null
  readonly fault: LiveFault | null
  readonly isFinal: boolean
}

/**
 * One client's part in a query. One result at a time is on its way, so that a slow client costs no memory but for the
 * rows that it has.
 */
export class Subscription {
  readonly #query: number
  readonly #send: (message: LiveMessage) => void
  #held: HeldResult | null
  #shownFault: LiveFault | null = null
  #isSent = false
  #refreshes: { readonly refresh: number; done: boolean }[] = []

  constructor(query: number, send: (message: LiveMessage) => void, held: HeldResult | null) {
    this.#query = query
    this.#send = send
    this.#held = held
  }

  /** A result is on its way, and nothing was asked that waits for another. */
  get isBusy(): boolean {
    return this.#isSent && !this.isRefreshing
  }

  get isRefreshing(): boolean {
    return this.#refreshes.some(({ done }) => !done)
  }

  addRefresh(refresh: number): void {
    this.#refreshes.push({ refresh, done: false })
  }

  /** Answers those that a run which begins now will serve. */
  beginRun(): () => void {
    const served = [...this.#refreshes]
    return () => {
      for (const one of served) one.done = true
    }
  }

  acknowledge(outcome: Outcome): void {
    this.#isSent = false
    this.deliver(outcome)
  }

  /** Sends what the client does not have yet, unless it is still to say that it has the last. */
  deliver({ result, fault, isFinal }: Outcome): void {
    if (this.#isSent) return
    if (fault !== null) this.#sendFault(fault, isFinal)
    else if (result !== null) this.#sendResult(result)
    if (!this.#isSent) this.#reportRefreshes()
  }

  #sendFault(fault: LiveFault, isFinal: boolean): void {
    if (this.#shownFault === fault) return
    this.#shownFault = fault
    this.#send({ type: 'fault', query: this.#query, fault, isFinal })
  }

  #sendResult(result: HeldResult): void {
    const held = this.#held
    if (held === result && this.#shownFault === null) return
    const sameFields = held !== null && JSON.stringify(held.fields) === JSON.stringify(result.fields)
    const parts = diffRows(sameFields ? held.rows : [], result.rows)
    this.#held = result
    if (sameFields && this.#shownFault === null && isUnchanged(parts, held.rows.length)) return
    this.#shownFault = null
    this.#isSent = true
    this.#send({ type: 'result', query: this.#query, fields: sameFields ? null : result.fields, parts })
  }

  #reportRefreshes(): void {
    const done = this.#refreshes.filter((one) => one.done)
    this.#refreshes = this.#refreshes.filter((one) => !one.done)
    for (const { refresh } of done) this.#send({ type: 'refreshed', query: this.#query, refresh })
  }
}
