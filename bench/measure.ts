/** One measured figure, as the JSON report lists it. */
export interface Figure {
  readonly id: string
  readonly value: number
  readonly unit: string
  /** At least this for rates, at most this for times; null where none is set. */
  readonly target: number | null
  /** Null without a target. */
  readonly ok: boolean | null
  readonly detail: string
}

export function rate(
  id: string,
  count: number,
  elapsedMs: number,
  unit: string,
  target: number | null,
  detail: string,
): Figure {
  const value = Math.round(count / (elapsedMs / 1000))
  return { id, value, unit, target, ok: target === null ? null : value >= target, detail }
}

export function duration(id: string, valueMs: number, target: number | null, detail: string): Figure {
  const value = Math.round(valueMs * 10) / 10
  return { id, value, unit: 'ms', target, ok: target === null ? null : value <= target, detail }
}

export async function timed<Result>(run: () => Promise<Result>): Promise<{ result: Result; elapsedMs: number }> {
  const start = performance.now()
  const result = await run()
  return { result, elapsedMs: performance.now() - start }
}

/** Nearest-rank percentile; `share` in (0, 1]. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}
