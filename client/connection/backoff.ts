import { LIMITS } from '../../protocol/index.ts'

/** Full jitter: anywhere between nothing and the bound, which doubles with each attempt up to `reconnectMaxMs`. */
export function backoffDelayMs(attempt: number, random: number): number {
  const boundMs = Math.min(LIMITS.reconnectMaxMs, LIMITS.reconnectBaseMs * 2 ** Math.min(attempt, 16))
  return Math.floor(random * boundMs)
}
