import {
  mapPatch,
  mapPredicted,
  type PushedMutation,
  type Rejection,
  type VersionNames,
} from '../../../protocol/index.ts'

const NOTHING_LEFT: Rejection = {
  kind: 'outdated-schema',
  message: 'A migration dropped the columns that this changed, so that nothing of it is left to do.',
}

/**
 * Says a mutation in the names of the definition in force, given those that each version since its own gave; the app maps
 * an action's arguments itself. Rule PSH-R26.
 */
export function mapMutation(mutation: PushedMutation, since: readonly VersionNames[]): PushedMutation | Rejection {
  if (mutation.kind === 'action') {
    const { predicted } = mutation
    return { ...mutation, predicted: predicted && since.reduce((so, names) => mapPredicted(so, names), predicted) }
  }
  const rows = since.reduce((so, names) => mapPatch(so, names), mutation.rows)
  return rows.length === 0 ? NOTHING_LEFT : { ...mutation, rows }
}
