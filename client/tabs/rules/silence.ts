/** No more than this counts between two looks: a tab that slept, or whose timers the browser held back, heard nobody. */
const MOST_COUNTED_MS = 2_000

/** How long the other side has given no sign, in time that this tab was awake. */
export class Silence {
  #silentMs = 0
  #lookedAtMs: number

  constructor(nowMs: number) {
    this.#lookedAtMs = nowMs
  }

  /** Notes a sign. */
  hear(): void {
    this.#silentMs = 0
  }

  /** Answers the milliseconds since the last sign; called again and again. */
  look(nowMs: number): number {
    this.#silentMs += Math.min(Math.max(0, nowMs - this.#lookedAtMs), MOST_COUNTED_MS)
    this.#lookedAtMs = nowMs
    return this.#silentMs
  }
}
