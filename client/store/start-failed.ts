/** Thrown where PGlite did not start; it carries Postgres' own words, because PGlite's message tells nothing. */
export class StartFailed extends Error {
  override readonly name = 'StartFailed'
  readonly words: readonly string[]

  constructor(message: string, words: readonly string[], options?: { cause?: unknown }) {
    super(message, options)
    this.words = words
  }
}

/** This many of the last lines of a start are kept, because there may be many. */
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

  /** Resolves as the start does; rejects with `StartFailed` and what Postgres wrote. */
  async ofStart<Started>(start: Promise<Started>): Promise<Started> {
    try {
      return await start
    } catch (cause) {
      throw new StartFailed(wordOf(cause), this.#words, { cause })
    } finally {
      this.#ended = true
    }
  }
}

/** PGlite's own file system throws objects that are no errors: a name and a number. */
function wordOf(cause: unknown): string {
  if (cause instanceof Error) return cause.message
  const { name, errno } = Object(cause) as { readonly name?: unknown; readonly errno?: unknown }
  return errno === undefined ? String(cause) : `${name} ${errno}`
}
