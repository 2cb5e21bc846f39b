import type { MinuteFigures } from '../../health-contract.ts'

const MINUTE_MS = 60_000

type Values = readonly (number | null)[]

/** What the plots show, minute by minute: `x` in seconds since 1970. */
export interface Series {
  readonly x: readonly number[]
  readonly transactions: Values
  readonly rows: Values
  readonly storedMs: Values
  readonly deliveredMs: Values
  readonly retainedWalBytes: Values
}

/**
 * Lays the minutes of the last `spanMs` side by side. A minute of which nothing is known had no transaction; its lags are gaps, and the
 * log is taken for as large as it was seen last.
 */
export function seriesOf(minutes: readonly MinuteFigures[], nowMs: number, spanMs: number): Series {
  const last = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS
  const first = last - spanMs + MINUTE_MS
  const known = new Map(minutes.map((minute) => [minute.atMs, minute]))
  const times = Array.from({ length: Math.round(spanMs / MINUTE_MS) }, (_, index) => first + index * MINUTE_MS)
  const of = <Value>(pick: (minute: MinuteFigures | undefined) => Value) => times.map((atMs) => pick(known.get(atMs)))
  let bytes =
    minutes.findLast(({ atMs, retainedWalBytes }) => atMs < first && retainedWalBytes !== null)?.retainedWalBytes ??
    null
  return {
    x: times.map((atMs) => atMs / 1_000),
    transactions: of((minute) => minute?.transactions ?? 0),
    rows: of((minute) => minute?.rows ?? 0),
    storedMs: of((minute) => minute?.storedMs ?? null),
    deliveredMs: of((minute) => minute?.deliveredMs ?? null),
    retainedWalBytes: of((minute) => {
      bytes = minute?.retainedWalBytes ?? bytes
      return bytes
    }),
  }
}
