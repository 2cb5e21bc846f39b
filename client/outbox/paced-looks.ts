/** The rest after a look that nobody waits for, as long as a screen shows a frame: writes in a row share one look. */
const REST_MS = 16

export interface PacedLooksOptions {
  /** Resolves once nothing is under way that goes first. */
  readonly waitForTurn: () => Promise<void>
  readonly look: () => Promise<void>
  /** Says whether somebody waits for what the next look finds, so that it must not rest. */
  readonly isAwaited: () => boolean
}

/** Runs looks one after another, and leaves the database to the app's own statements in between. */
export class PacedLooks {
  readonly #options: PacedLooksOptions
  #running: Promise<void> | null = null
  #isDue = false
  #endedAtMs = Number.NEGATIVE_INFINITY
  #endRest: () => void = () => undefined

  constructor(options: PacedLooksOptions) {
    this.#options = options
  }

  /**
   * Begins a look that sees everything written before this call, or lets it follow the one in hand.
   *
   * Resolves once no look is due any more. Rejects as a look does, which nobody need handle.
   */
  lookSoon(): Promise<void> {
    this.#isDue = true
    if (this.#options.isAwaited()) this.#endRest()
    if (this.#running) return this.#running
    const running = this.#runLooks().finally(() => {
      this.#running = null
    })
    this.#running = running
    // A database that is closing, or broken, is reported to the app by the app's own statements.
    running.catch(() => undefined)
    return running
  }

  /** Resolves once the looks in hand have ended, at once where they rest. */
  async whenIdle(): Promise<void> {
    this.#endRest()
    await this.#running?.catch(() => undefined)
  }

  async #runLooks(): Promise<void> {
    do {
      await this.#rest()
      await this.#options.waitForTurn()
      this.#isDue = false
      await this.#options.look()
      this.#endedAtMs = performance.now()
    } while (this.#isDue)
  }

  async #rest(): Promise<void> {
    const restMs = this.#endedAtMs + REST_MS - performance.now()
    if (restMs <= 0 || this.#options.isAwaited()) return
    await new Promise<void>((resolve) => {
      this.#endRest = resolve
      setTimeout(resolve, restMs)
    })
  }
}
