/** PGlite did not start: what it says itself tells nothing, Postgres' own words do. */
export class StartFailed extends Error {
  override readonly name = 'StartFailed'
  readonly words: readonly string[]

  constructor(message: string, words: readonly string[], options?: { cause?: unknown }) {
    super(message, options)
    this.words = words
  }
}

/** The last words of a start, of which there may be many. */
const KEPT = 50

/** Collects what Postgres writes while it starts. */
export class StartWords {
  readonly #words: string[] = []
  #ended = false

  /** An `onStderr` of PGlite's. */
  readonly listen = (line: string): boolean => {
    if (!this.#ended) this.#words.push(line)
    if (this.#words.length > KEPT) this.#words.shift()
    return true
  }

  /** Rejects as the start does, with what was said. */
  async ofStart<Started>(start: Promise<Started>): Promise<Started> {
    try {
      return await start
    } catch (cause) {
      throw new StartFailed(cause instanceof Error ? cause.message : String(cause), this.#words, { cause })
    } finally {
      this.#ended = true
    }
  }
}
