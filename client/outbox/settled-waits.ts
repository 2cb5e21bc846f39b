import { type TidemarkError, toTidemarkError } from '../../protocol/index.ts'
import { isSettledTo, type OutboxLook } from './rules/compare-looks.ts'

interface Wait {
  readonly upTo: number
  readonly resolve: () => void
  readonly reject: (error: TidemarkError) => void
}

/** The waits for everything up to a mutation to be settled. */
export class SettledWaits {
  readonly #waits = new Set<Wait>()

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
    for (const wait of [...this.#waits]) {
      if (!isSettledTo(look, wait.upTo)) continue
      this.#waits.delete(wait)
      wait.resolve()
    }
  }

  /** Rejects all waits with an error, because nothing will be settled soon. */
  rejectWaits(error: TidemarkError): void {
    const waits = [...this.#waits]
    this.#waits.clear()
    for (const { reject } of waits) reject(toTidemarkError(error))
  }
}
