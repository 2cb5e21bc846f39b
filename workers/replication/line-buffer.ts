const FIRST_BYTES = 1024
const LINE_FEED = 10
const encoder = new TextEncoder()

/** Texts as the lines of one UTF-8 text: bytes, because joined strings of megabytes cost more than all else that is done to them. */
export class LineBuffer {
  #bytes = new Uint8Array(FIRST_BYTES)
  #length = 0

  /** No text holds a line feed; null is an empty line. */
  add(text: string | null): void {
    // At most three bytes a UTF-16 unit.
    const most = this.#length + (text === null ? 0 : 3 * text.length) + 1
    if (most > this.#bytes.length) this.#grow(most)
    if (text !== null) this.#length += encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written
    this.#bytes[this.#length] = LINE_FEED
    this.#length += 1
  }

  /** Valid until the next `add` after `clear`. */
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
