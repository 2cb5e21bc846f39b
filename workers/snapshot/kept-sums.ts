import type { Lsn, SumsAnswer } from '../../protocol/index.ts'
import { SharedRun } from './shared-run.ts'

/** Sums read for one client serve others for so long; one whose sums differ asks for new ones. */
const KEPT_MS = 60_000

/** An audience's sums, read for many replicas at once: all of them may ask after a deploy. */
export class KeptSums {
  readonly #run: SharedRun<SumsAnswer>
  readonly #nowMs: () => number
  #kept: { readonly sums: SumsAnswer; readonly atMs: number } | null = null

  constructor(read: () => Promise<SumsAnswer>, nowMs: () => number) {
    this.#nowMs = nowMs
    this.#run = new SharedRun(async () => {
      const sums = await read()
      this.#kept = { sums, atMs: nowMs() }
      return sums
    })
  }

  /** Answers sums that hold everything up to `at`; null: sums that nobody has read yet. */
  async get(at: Lsn | null): Promise<SumsAnswer> {
    const kept = this.#kept
    const serves = kept !== null && at !== null && kept.sums.since >= at && this.#nowMs() - kept.atMs < KEPT_MS
    return serves ? kept.sums : await this.#run.get()
  }
}
