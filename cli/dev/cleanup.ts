type Step = () => Promise<void>

/**
 * Ends what was started, last first; a step that fails does not keep the others from running, and one added late runs
 * at once.
 */
export class Cleanup {
  #steps: Step[] = []
  #begun: Promise<void> | null = null

  /** True from the moment the end began: start nothing more. */
  get begun(): boolean {
    return this.#begun !== null
  }

  /** Adds a step, and returns a function that takes it back, for a part that has ended by itself. */
  add(step: Step): () => void {
    this.#steps.push(step)
    if (this.#begun) this.#begun = this.#begun.then(() => this.#runAll())
    return () => {
      this.#steps = this.#steps.filter((kept) => kept !== step)
    }
  }

  async run(): Promise<void> {
    this.#begun ??= this.#runAll()
    let awaited: Promise<void> | null = null
    while (awaited !== this.#begun) {
      awaited = this.#begun
      await awaited
    }
  }

  async #runAll(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step()
      } catch (error) {
        console.error(`tidemark: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
}
