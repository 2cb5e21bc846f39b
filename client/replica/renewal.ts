import type { DefinitionInForce, Manifest } from '../../protocol/index.ts'
import type { Copy } from '../store/copies.ts'
import { heldDefinition } from '../store/held-tables.ts'
import { envelopeFault } from './envelope.ts'
import { fetchManifests, type HydrationOptions, type HydrationTarget } from './hydration.ts'
import { type RenewedTables, renewedTables } from './renewed-tables.ts'

/** A later definition of the same history, of which only some tables are to be loaded. */
export interface Renewal {
  readonly definition: DefinitionInForce
  readonly tables: RenewedTables
  /** They name only the tables that are to be loaded. */
  readonly manifests: readonly Manifest[]
}

/**
 * Plans the loads that a change of definition costs a whole copy; null where everything must be loaded anew.
 *
 * Throws as `fetchManifests`, and `limit-exceeded` where what would be held then is beyond the envelope.
 */
export async function planRenewal(
  options: Pick<HydrationOptions, 'http' | 'signal' | 'envelope'> & { readonly welcome: HydrationTarget },
  live: Copy,
): Promise<Renewal | null> {
  const holdsAll = options.welcome.audiences.every((audience) => live.joins.has(audience))
  if (live.stage !== 'joined' || !holdsAll || options.welcome.audiences.length === 0) return null
  const manifests = await fetchManifests(options)
  const [first] = manifests
  if (!first || first.epoch !== live.epoch || first.definitionVersion <= live.definition.version) return null
  const fault = envelopeFault(options.envelope, manifests)
  if (fault !== null) throw fault
  const definition = {
    version: first.definitionVersion,
    hash: first.definitionHash,
    definition: first.definition,
  }
  const held = { ...live.definition, definition: heldDefinition(live.definition.definition, live.refused) }
  const tables = renewedTables(held, definition)
  const wanted = manifests.map((manifest) => ({
    ...manifest,
    tables: manifest.tables.filter(({ table }) => tables.renewed.has(table)),
  }))
  return { definition, tables, manifests: wanted }
}
