import {
  type Convert,
  findUnconverted,
  mapPatch,
  mapPredicted,
  type PushedMutation,
  type Rejection,
  unconvertedRejection,
  type VersionNames,
} from '../../../protocol/index.ts'

const NOTHING_LEFT: Rejection = {
  kind: 'outdated-schema',
  message: 'A migration dropped the columns that this changed, so that nothing of it is left to do.',
}

/**
 * Says a mutation in the names and types that a version gave; the app maps an action's arguments itself, and what it
 * predicted is left out where it cannot be said. Rules PSH-R26 and PSH-R29.
 */
export function mapMutation(
  mutation: PushedMutation,
  names: VersionNames,
  convert: Convert,
): PushedMutation | Rejection {
  if (mutation.kind === 'action') {
    const { predicted } = mutation
    const isSaid = predicted !== null && findUnconverted(predicted, names, convert) === null
    return { ...mutation, predicted: isSaid ? mapPredicted(predicted, names, convert) : null }
  }
  const lost = findUnconverted(mutation.rows, names, convert)
  if (lost !== null) return unconvertedRejection(lost)
  const rows = mapPatch(mutation.rows, names, convert)
  return rows.length === 0 ? NOTHING_LEFT : { ...mutation, rows }
}
