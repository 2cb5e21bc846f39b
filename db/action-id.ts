import { v5 } from 'uuid'

/** The namespace of the ids made here. Any constant would have done; this one must never change. */
const NAMESPACE = '8f5c1d0e-3b5a-4f0c-9d3e-6b1f6c0a7d42'

/** Returns the uuid that a mutation (`client:counter`) gives these names, in the replica and on the server alike. */
export function actionId(mutationId: string, names: readonly (string | number)[]): string {
  return v5(`${mutationId} ${JSON.stringify(names)}`, NAMESPACE)
}
