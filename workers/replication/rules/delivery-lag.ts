import type { Lsn } from '../../../protocol/index.ts'

/** A stretch of history that a subscriber has not acknowledged. */
interface Owed {
  /** Its end; acknowledged once the subscriber stands there. */
  readonly to: Lsn
  /** The first commit of it, in ms since 1970 by the server's clock. */
  readonly commitMs: number
  /** The time since which it is owed, by our clock. */
  readonly sinceMs: number
}

/** Measures how long each subscriber takes to acknowledge what concerns it: of each it keeps two stretches at most. */
export class DeliveryLag {
  readonly #owed = new Map<string, readonly Owed[]>()

  /** Notes a batch that concerns a subscriber. Those after the one under way become one stretch. */
  owe(subscriber: string, owed: Owed): void {
    const [first, second] = this.#owed.get(subscriber) ?? []
    const rest = second === undefined ? owed : { ...second, to: owed.to }
    this.#owed.set(subscriber, first === undefined ? [owed] : [first, rest])
  }

  /** Notes how far a subscriber is; answers the first commit that it had not acknowledged before, null where there is none. */
  acknowledge(subscriber: string, head: Lsn): number | null {
    const owed = this.#owed.get(subscriber) ?? []
    const left = owed.filter(({ to }) => to > head)
    if (left.length === owed.length) return null
    if (left.length > 0) this.#owed.set(subscriber, left)
    else this.#owed.delete(subscriber)
    return owed[0]?.commitMs ?? null
  }

  forget(subscriber: string): void {
    this.#owed.delete(subscriber)
  }

  /** Forgets all, as positions of another history are not comparable. */
  clear(): void {
    this.#owed.clear()
  }

  /** For how long a subscriber has owed an acknowledgement; null where it owes none. */
  of(subscriber: string, nowMs: number): number | null {
    const [first] = this.#owed.get(subscriber) ?? []
    return first === undefined ? null : nowMs - first.sinceMs
  }

  /** The subscriber that has owed an acknowledgement for longest; null where none owes one. */
  longest(nowMs: number): { readonly subscriber: string; readonly ms: number } | null {
    let found: { subscriber: string; ms: number } | null = null
    for (const [subscriber, [first]] of this.#owed) {
      const ms = first === undefined ? 0 : nowMs - first.sinceMs
      if (found === null || ms > found.ms) found = { subscriber, ms }
    }
    return found
  }
}
