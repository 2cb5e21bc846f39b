import type { ErrorKind } from '../../protocol/index.ts'

/** Reports from one isolate are this far apart, however many pushes fail. */
const REPORT_EVERY_MS = 10_000

/** Counts pushes that fail as a whole, as far as this isolate sees them, until they are reported. */
export class PushFaults {
  #counts: Partial<Record<ErrorKind, number>> = {}
  #reportedAtMs = 0

  note(kind: ErrorKind): void {
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1
  }

  /** Takes what is to be reported now; null where nothing is, or the last report was a moment ago. */
  take(nowMs: number): Partial<Record<ErrorKind, number>> | null {
    const counts = this.#counts
    if (Object.keys(counts).length === 0 || nowMs - this.#reportedAtMs < REPORT_EVERY_MS) return null
    this.#counts = {}
    this.#reportedAtMs = nowMs
    return counts
  }
}
