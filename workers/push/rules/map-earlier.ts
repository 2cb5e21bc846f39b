import { type Convert, mapPredicted, type VersionNames } from '../../../protocol/index.ts'
import type { Earlier, Effects } from './earlier.ts'

/**
 * Says what a decided mutation left in rows in the names and types that a version gave; of what cannot be said nothing is
 * known. Rules PSH-R28 and PSH-R29.
 */
export function mapEarlier(earlier: Earlier, names: VersionNames, convert: Convert): Earlier {
  const { predicted, effects } = earlier
  return {
    ...earlier,
    predicted: predicted && mapPredicted(predicted, names, convert),
    effects: effects && mapEffects(effects, names, convert),
  }
}

/** An effect is said of single columns, as an update is. */
function mapEffects(effects: Effects, names: VersionNames, convert: Convert): Effects {
  const mapped = mapPredicted(
    effects.map(({ t, k, d }) => ({ o: 'u', t, a: '', k, d })),
    names,
    convert,
  )
  return mapped.flatMap((one) => (one.o === 'd' ? [] : [{ t: one.t, k: one.k as Record<string, string>, d: one.d }]))
}
