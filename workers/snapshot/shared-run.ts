/**
 * Runs one task at a time for any number of callers; no caller gets the result of a run that began before they asked.
 */
export class SharedRun<T> {
  readonly #task: () => Promise<T>
  #running: Promise<T> | null = null
  #next: Promise<T> | null = null

  constructor(task: () => Promise<T>) {
    this.#task = task
  }

  get(): Promise<T> {
    if (this.#running === null) return this.#start()
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    )
    return this.#next
  }

  #start(): Promise<T> {
    this.#next = null
    const run = this.#task().finally(() => {
      // If a caller waits, the next run takes this place at once.
      if (this.#next === null) this.#running = null
    })
    this.#running = run
    return run
  }
}
