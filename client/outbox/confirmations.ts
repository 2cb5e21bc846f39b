import { type MutationId, mutationId, type Rejection } from '../../protocol/index.ts'
import { MutationFailed, type MutationHandle } from '../mutations/mutation.ts'

/** The end of a mutation; `rejection` is null where it was confirmed. */
export interface MutationEnd {
  readonly counter: number
  readonly rejection: Rejection | null
}

interface Open {
  readonly handle: MutationHandle
  readonly end: (rejection: Rejection | null) => void
}

/** The promises of mutations that are not settled yet. */
export class Confirmations {
  readonly #client: string
  readonly #open = new Map<number, Open>()

  constructor(client: string) {
    this.#client = client
  }

  /** Counters somebody waits for. */
  get waiting(): readonly number[] {
    return [...this.#open.keys()]
  }

  isWaiting(counter: number): boolean {
    return this.#open.has(counter)
  }

  idOf(counter: number): MutationId {
    return mutationId(this.#client, counter)
  }

  /** Answers the handle of a mutation that is not settled; a second call answers the same one. */
  openHandle(counter: number): MutationHandle {
    const known = this.#open.get(counter)
    if (known) return known.handle
    const id = this.idOf(counter)
    let end: Open['end'] = () => undefined
    const confirmed = new Promise<void>((resolve, reject) => {
      end = (rejection) => (rejection ? reject(new MutationFailed(id, rejection)) : resolve())
    })
    // The app need not look at it, and then its failure must be no unhandled rejection.
    confirmed.catch(() => undefined)
    const handle = { id, confirmed }
    this.#open.set(counter, { handle, end })
    return handle
  }

  resolveHandles(ends: readonly MutationEnd[]): void {
    for (const { counter, rejection } of ends) {
      this.#open.get(counter)?.end(rejection)
      this.#open.delete(counter)
    }
  }
}
