import type { HealthCheck } from '../contracts.ts'
import { failCheck, okCheck, warnCheck } from './health-check.ts'

interface Named {
  readonly version: number
  readonly hash: string
}

/**
 * Judges whether a definition is in force, and the one that the app declares; `declaredHash` null where the app's is
 * not known.
 */
export function definitionCheck(
  inForce: (Named & { readonly passedOver?: number }) | null,
  declaredHash: string | null,
): HealthCheck {
  const name = 'definition-in-force'
  if (inForce === null) return failCheck(name, 'No sync definition is in force: run `tidemark migrate`.')
  if (inForce.passedOver !== undefined)
    return failCheck(
      name,
      `Definition ${inForce.passedOver} in tidemark.sync_definition cannot be read, and is passed over: ${inForce.version} still is in force. Correct the sync definition, then run \`tidemark migrate\`.`,
    )
  const figures = { value: inForce.version, unit: 'version' }
  if (declaredHash === null || declaredHash === inForce.hash) return okCheck(name, figures)
  return warnCheck(
    name,
    'The database syncs by another definition than the app declares: run `tidemark migrate`, or deploy the app that matches it.',
    figures,
  )
}
