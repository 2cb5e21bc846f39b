const FIRST_MS = 1_000
const MOST_MS = 30_000

/**
 * The pause before the next look of a consumer: after looks in a row that found nothing, or runs in a row that failed. It doubles up
 * to 30 s; `random` of [0, 1) spreads its upper half.
 */
export function followDelayMs(idle: number, failed: number, random: number): number {
  const doubled = FIRST_MS * 2 ** Math.min(Math.max(idle - 3, failed, 0), 10)
  return Math.min(doubled, MOST_MS) * (0.5 + random / 2)
}
