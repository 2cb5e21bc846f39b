/** The loads of a replica, of which one at a time uses the database: the next waits for the last one to let go of it. */
export class LoadInHand {
  #last: Promise<unknown> = Promise.resolve()
  /** Aborts a load beside what is shown; null while there is none. */
  #beside: AbortController | null = null

  /** Resolves when nothing is being loaded. */
  async whenIdle(): Promise<void> {
    await this.#last.catch(() => undefined)
  }

  run<Result>(load: () => Promise<Result>): Promise<Result> {
    const running = this.whenIdle().then(load)
    this.#last = running
    return running
  }

  /** Runs a load of rows beside those that are shown; it never rejects, and a later one takes its place. */
  runBeside(load: (signal: AbortSignal) => Promise<void>): void {
    const controller = new AbortController()
    this.abortBeside()
    this.#beside = controller
    void this.run(async () => {
      if (!controller.signal.aborted) await load(controller.signal)
    })
  }

  abortBeside(): void {
    this.#beside?.abort()
    this.#beside = null
  }
}
