import type { MinuteFigures } from '../../contracts.ts'

const MINUTE_MS = 60_000

const longest = (one: number | null, other: number | null): number | null =>
  one === null ? other : other === null ? one : Math.max(one, other)

/** Keeps figures minute by minute, of the last `kept` minutes; those in which nothing happened are absent. */
export class MinuteTally {
  readonly #kept: number
  #minutes: MinuteFigures[]

  /** `known` are minutes of before, oldest first. */
  constructor(kept: number, known: readonly MinuteFigures[] = []) {
    this.#kept = kept
    this.#minutes = [...known]
  }

  /** Adds to the present minute: counts are summed, of lags the longest stays, of the log the last. */
  note(nowMs: number, figures: Partial<Omit<MinuteFigures, 'atMs'>>): void {
    const atMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS
    const last = this.#minutes.at(-1)
    const known = last?.atMs === atMs ? last : null
    const next: MinuteFigures = {
      atMs,
      transactions: (known?.transactions ?? 0) + (figures.transactions ?? 0),
      rows: (known?.rows ?? 0) + (figures.rows ?? 0),
      storedMs: longest(known?.storedMs ?? null, figures.storedMs ?? null),
      deliveredMs: longest(known?.deliveredMs ?? null, figures.deliveredMs ?? null),
      faults: (known?.faults ?? 0) + (figures.faults ?? 0),
      retainedWalBytes: figures.retainedWalBytes ?? known?.retainedWalBytes ?? null,
    }
    if (known !== null) this.#minutes.pop()
    this.#minutes.push(next)
    this.#minutes = this.#minutes.filter((one) => one.atMs > atMs - this.#kept * MINUTE_MS)
  }

  /** Answers the minutes of the last `ms`, oldest first. */
  since(nowMs: number, ms: number): readonly MinuteFigures[] {
    return this.#minutes.filter(({ atMs }) => atMs + MINUTE_MS > nowMs - ms)
  }
}

/** The longest lag of these minutes; null where none was measured. */
export function longestLag(minutes: readonly MinuteFigures[], of: 'storedMs' | 'deliveredMs'): number | null {
  return minutes.reduce<number | null>((found, minute) => longest(found, minute[of]), null)
}

/** A growth is told after this many looks in as many minutes, so that one large transaction is none. */
const GROWTH_LOOKS = 10

/**
 * Answers by how many bytes the log that the slot holds back grew over the last ten minutes with a look in them; null where it
 * shrank between two of them, or where there are fewer.
 */
export function walGrowth(minutes: readonly MinuteFigures[]): number | null {
  const sizes = minutes.flatMap(({ retainedWalBytes }) => retainedWalBytes ?? []).slice(-GROWTH_LOOKS)
  if (sizes.length < GROWTH_LOOKS) return null
  const shrank = sizes.some((size, index) => size < (sizes[index - 1] ?? 0))
  return shrank ? null : (sizes.at(-1) ?? 0) - (sizes[0] ?? 0)
}
