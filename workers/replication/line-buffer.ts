const FIRST_BYTES = 1024
const LINE_FEED = 10
const encoder = new TextEncoder()

/** Gathers lines as UTF-8 bytes, because joining strings of megabytes costs more than all other work on them. */
export class LineBuffer {
  #bytes = new Uint8Array(FIRST_BYTES)
  #length = 0

  /** Adds a line, which must hold no line feed; null adds an empty one. */
  add(text: string | null): void {
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    const most = this.#length + (text === null ? 0 : 3 * text.length) + 1
    if (most > this.#bytes.length) this.#grow(most)
    if (text !== null) this.#length += encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written
    this.#bytes[this.#length] = LINE_FEED
    this.#length += 1
  }

  /** The lines so far; the bytes are valid until the next `add` after `clear`. */
  get text(): Uint8Array {
    return this.#bytes.subarray(0, Math.max(0, this.#length - 1))
  }

  clear(): void {
    this.#length = 0
  }

  #grow(bytes: number): void {
    const grown = new Uint8Array(Math.max(bytes, 2 * this.#bytes.length))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}
