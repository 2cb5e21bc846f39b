/** One measured figure, as the JSON report lists it. */
export interface Figure {
  readonly id: string
  readonly value: number
  readonly unit: string
  readonly target: number | null
  /** Null without a target. */
  readonly ok: boolean | null
  readonly detail: string
}

/** The bound that a figure has to keep; `null` where it is only printed. */
export type Target = { readonly atLeast: number } | { readonly atMost: number } | null

export function figure(id: string, value: number, unit: string, target: Target, detail: string): Figure {
  // Runs agree on fewer than three digits, so no more are kept.
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3))
  if (target === null) return { id, value: rounded, unit, target: null, ok: null, detail }
  return 'atLeast' in target
    ? { id, value: rounded, unit, target: target.atLeast, ok: value >= target.atLeast, detail }
    : { id, value: rounded, unit, target: target.atMost, ok: value <= target.atMost, detail }
}

export async function timed<Result>(run: () => Promise<Result>): Promise<{ result: Result; elapsedMs: number }> {
  const start = performance.now()
  const result = await run()
  return { result, elapsedMs: performance.now() - start }
}

/** Answers the nearest-rank percentile; `share` lies in (0, 1]. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export const median = (values: readonly number[]) => percentile(values, 0.5)
