import { TidemarkError } from '../../protocol/index.ts'
import { closedFault, offlineFault } from './engine-faults.ts'
import type { ReplicaStatus, StatusStore } from './status.ts'
import type { StoredCopies } from './stored-copies.ts'

/** Has tables whose rows are not the server's loaded anew, by the next connection; unsent work on them is kept. */
export class Repair {
  readonly #stored: StoredCopies
  readonly #status: StatusStore
  readonly #reconnect: (fault: string) => void
  #due: { readonly tables: ReadonlySet<string>; readonly marked: () => void } | null = null

  /** `reconnect` is told what the server is to be told of it. */
  constructor(stored: StoredCopies, status: StatusStore, reconnect: (fault: string) => void) {
    this.#stored = stored
    this.#status = status
    this.#reconnect = reconnect
  }

  /** Resolves when the tables are loaded; rejects where the replica ends offline, refused or closed before, and they are later. */
  async load(tables: readonly string[], signal: AbortSignal): Promise<void> {
    const marked = new Promise<void>((resolve) => {
      this.#due = { tables: new Set(tables), marked: resolve }
    })
    this.#reconnect(`Rows differed from the server's and were loaded anew: ${tables.join(', ')}`)
    await Promise.race([marked, this.#whenStatus(() => false, signal)])
    await this.#whenStatus(({ ready, migrations }) => ready && migrations.waiting.length === 0, signal)
  }

  /** Marks what is due, while nothing streams. */
  async markBehind(): Promise<void> {
    const due = this.#due
    if (due === null) return
    this.#due = null
    await this.#stored.markBehind(due.tables)
    due.marked()
  }

  #whenStatus(test: (status: ReplicaStatus) => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let stop = () => {}
      const look = (status: ReplicaStatus) => {
        const fault = endOf(status) ?? (signal.aborted ? closedFault() : null)
        if (fault === null && !test(status)) return
        stop()
        if (fault) reject(fault)
        else resolve()
      }
      stop = this.#status.subscribe(look)
      look(this.#status.current)
    })
  }
}

function endOf({ phase, error }: ReplicaStatus): TidemarkError | null {
  if (phase === 'offline') return offlineFault()
  if (phase === 'closed') return closedFault()
  if (phase === 'refused') return error ?? new TidemarkError('unavailable', 'The replica is refused.')
  return null
}
