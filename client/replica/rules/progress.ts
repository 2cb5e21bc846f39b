/** The parts of the way from the call to `ready` at the open database and at the last row; the rest is the stream. */
const OPENED = 0.2
const LOADED = 0.95
/** Signs of life after which half of an opening is thought done; a few hundred files are written, read and opened again. */
const HALF_OPENED = 2_000

/**
 * Measures the way of a replica from its opening to `ready`, as one number from 0 to 1 that never falls: a load that
 * begins anew shares out the way that is left.
 */
export class Progress {
  #reached = 0
  /** The point at which the load in hand began, and the share of it that is done. */
  #from = OPENED
  #share = 0

  get reached(): number {
    return this.#reached
  }

  /** Advances by how much PGlite has asked of the device; how much it will ask is not known. */
  noteOpening(signs: number): void {
    this.#reach((OPENED * signs) / (signs + HALF_OPENED))
  }

  noteOpened(): void {
    this.#reach(OPENED)
  }

  /** Advances by the part of a load that is here; less than before means another load. */
  noteLoading(done: number, total: number): void {
    const share = total > 0 ? Math.min(1, done / total) : 1
    if (share < this.#share) this.#from = this.#reached
    this.#share = share
    this.#reach(this.#from + (LOADED - this.#from) * share)
  }

  noteReady(): void {
    this.#reach(1)
  }

  #reach(to: number): void {
    this.#reached = Math.max(this.#reached, to)
  }
}
