import { type TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import { isSettledTo, type OutboxLook } from './rules/compare-looks.ts'

interface Wait {
  readonly upTo: number
  readonly resolve: () => void
  readonly reject: (error: TidemarkError) => void
}

/** Those who wait until everything up to a mutation is settled. */
export class SettledWaits {
  readonly #waits = new Set<Wait>()

  get areAny(): boolean {
    return this.#waits.size > 0
  }

  /** Resolves once a look finds everything up to this mutation settled; rejects by `fail`. */
  until(upTo: number): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#waits.add({ upTo, resolve, reject })
    })
  }

  /** Lets go those whose mutations a look found settled. */
  take(look: Pick<OutboxLook, 'oldest'>): void {
    for (const wait of [...this.#waits]) {
      if (!isSettledTo(look, wait.upTo)) continue
      this.#waits.delete(wait)
      wait.resolve()
    }
  }

  /** Lets all go with an error, because nothing will be settled soon. */
  fail(error: TidemarkError): void {
    const waits = [...this.#waits]
    this.#waits.clear()
    for (const { reject } of waits) reject(toTidemarkError(error))
  }
}
