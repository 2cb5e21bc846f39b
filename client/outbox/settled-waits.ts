import { type TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import { isSettledTo, type OutboxLook } from './rules/compare-looks.ts'

interface Wait {
  upTo: number
  readonly resolve: () => void
  readonly reject: (error: TidemarkError) => void
}

/** The waits for everything up to a mutation to be settled. */
export class SettledWaits {
  readonly #waits = new Set<Wait>()
  #held = 0

  get areAny(): boolean {
    return this.#waits.size > 0
  }

  /** Resolves once a look finds everything up to this mutation settled; rejects by `rejectWaits`. */
  waitUpTo(upTo: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#waits.add({ upTo, resolve, reject })
    })
  }

  /** Resolves the waits whose mutations a look found settled. */
  resolveSettled(look: Pick<OutboxLook, 'oldest'>): void {
    if (this.#held > 0) return
    for (const wait of [...this.#waits]) {
      if (!isSettledTo(look, wait.upTo)) continue
      this.#waits.delete(wait)
      wait.resolve()
    }
  }

  /**
   * Runs `work`, which makes mutations anew and answers the number of the last: whoever waits for the former waits for
   * these. Nothing counts as settled meanwhile.
   */
  async holdWhile(work: () => Promise<number>): Promise<void> {
    this.#held += 1
    try {
      const last = await work()
      for (const wait of this.#waits) wait.upTo = Math.max(wait.upTo, last)
    } finally {
      this.#held -= 1
    }
  }

  /** Rejects all waits with an error, because nothing will be settled soon. */
  rejectWaits(error: TidemarkError): void {
    const waits = [...this.#waits]
    this.#waits.clear()
    for (const { reject } of waits) reject(toTidemarkError(error))
  }
}
