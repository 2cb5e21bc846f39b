import { type Lsn, TidemarkError } from '../../protocol/index.ts'

interface Wait {
  readonly lsn: Lsn
  /** Null where any epoch will do. */
  readonly epoch: string | null
  /** The epoch held when `epoch` was asked for; a third one means that `epoch` must be asked for anew. */
  readonly before: string | null
  readonly endsOffline: boolean
  readonly endsRefused: boolean
  readonly resolve: () => void
  readonly reject: (error: TidemarkError) => void
}

/** The part of the status by which waits end. */
export interface Reached {
  readonly ready: boolean
  readonly epoch: string | null
  readonly lsn: Lsn | null
}

/** Callers who wait for the cursor. */
export class CursorWaits {
  #waits = new Set<Wait>()

  /** Rejects with `rehydrate-required` where another epoch than the one wanted has come, else with what `rejectWaits` is given. */
  waitFor(wait: Omit<Wait, 'resolve' | 'reject'>, now: Reached): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waits.add({ ...wait, resolve, reject })
      this.resolveReached(now)
    })
  }

  resolveReached({ ready, epoch, lsn }: Reached): void {
    if (!ready || lsn === null) return
    for (const wait of this.#waits) {
      const isWanted = wait.epoch === null || wait.epoch === epoch
      if (!isWanted && epoch === wait.before) continue
      if (!isWanted) {
        this.#end(wait, new TidemarkError('rehydrate-required', 'The history changed while waiting for it.'))
      } else if (lsn >= wait.lsn) this.#end(wait, null)
    }
  }

  /** Ends the waits that an offline or refused replica cannot satisfy, or all of them. */
  rejectWaits(error: TidemarkError, which: 'offline' | 'refused' | 'all'): void {
    for (const wait of this.#waits) {
      const ends = { offline: wait.endsOffline, refused: wait.endsRefused, all: true }
      if (ends[which]) this.#end(wait, error)
    }
  }

  #end(wait: Wait, error: TidemarkError | null): void {
    this.#waits.delete(wait)
    if (error) wait.reject(error)
    else wait.resolve()
  }
}
