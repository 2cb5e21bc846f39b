import type { PGlite } from '@electric-sql/pglite'
import { TidemarkError } from '../../protocol/index.ts'

/**
 * Ends a database in which Postgres panicked, where its log finds no room for instance.
 *
 * A panic ends a server. PGlite 0.5 rejects that statement and goes on; the next one never returns, and neither does
 * its thread. What is stored is whole, as after a crash, and is there when it is opened again.
 */
export class PanicGuard {
  readonly #panicked = Promise.withResolvers<TidemarkError>()
  #fault: TidemarkError | null = null

  /** Resolves with the fault that every call rejects with from then on. */
  get panicked(): Promise<TidemarkError> {
    return this.#panicked.promise
  }

  /** An `onStderr` of PGlite's. */
  readonly listen = (line: string): boolean => {
    const words = /\bPANIC: +(.*)/.exec(line)?.[1]
    if (words === undefined || this.#fault) return true
    this.#fault = new TidemarkError(
      'storage',
      `The local database has ended (${words}): make room on the device where that is missing, then open the replica again, or reload the page.`,
    )
    this.#panicked.resolve(this.#fault)
    return true
  }

  /** Guards a database that was just made, before anything runs in it. */
  guard(db: PGlite): void {
    const run = db.execProtocolRawSync.bind(db)
    const close = db.close.bind(db)
    db.execProtocolRawSync = (message) => {
      if (this.#fault) throw this.#fault
      return run(message)
    }
    // Closing in order writes to the log as well.
    db.close = async () => (this.#fault ? db.fs?.closeFs() : close())
  }
}
