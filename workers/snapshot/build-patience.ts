import { TidemarkError } from '../../protocol/index.ts'
import type { WaitReason } from './join-position.ts'

/** Attempts of one build before its callers are asked to come back. */
export const BUILD_ATTEMPTS = 12
const BASE_DELAY_MS = 100
const MAX_DELAY_MS = 2_000

/**
 * Returns the delay before the next attempt: doubling from 100 ms to 2 s, less up to a half; `attempt` counts from 0,
 * `random` in [0, 1).
 */
export function buildDelayMs(attempt: number, random: number): number {
  const full = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** attempt)
  return Math.round(full * (1 - random / 2))
}

/** Tells whether a reason passes when capture goes on, so that capture is worth a kick. */
export function waitsForCapture(reason: WaitReason): boolean {
  return ['no-epoch', 'definition-ahead', 'behind-floor', 'altered'].includes(reason)
}

const EXPLANATIONS: Readonly<Record<WaitReason, string>> = {
  'no-epoch': 'capture has not begun on this database; see /health/replication',
  'no-definition': 'no sync definition is in force; run `tidemark migrate`',
  'definition-changed': 'the sync definition keeps changing',
  'definition-ahead': 'capture has not reached the latest sync definition yet',
  'epoch-young': 'a transaction older than the replication slot is still open; end it',
  'behind-floor': 'a transaction older than the retained history is still open; end it',
  altered: 'a synced table was altered and capture has not followed; see /health/replication',
  locked: 'a synced table is locked by another transaction, a migration perhaps',
}

/** Makes the error that callers get when the attempts are used up. */
export function outOfPatience(reason: WaitReason): TidemarkError {
  return new TidemarkError('unavailable', `No snapshot can be read now: ${EXPLANATIONS[reason]}. Try again later.`)
}
