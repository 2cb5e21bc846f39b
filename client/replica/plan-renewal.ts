import { type Manifest, TidemarkError } from '../../protocol/index.ts'
import type { Copy } from '../store/copies.ts'
import { fetchManifests, type HydrationTarget } from './fetch-manifests.ts'
import { fetchVersions } from './fetch-versions.ts'
import type { Renewing } from './granted.ts'
import { heldBy } from './held-by.ts'
import type { HydrationOptions } from './hydration-options.ts'
import { envelopeFault } from './load-envelope.ts'
import { planVersions } from './rules/plan-versions.ts'

/** The way of a whole copy to a later definition of the same history. */
export interface Renewal extends Renewing {
  readonly version: number
  /** They name only the tables that are to be loaded; none where there is nothing to load. */
  readonly manifests: readonly Manifest[]
}

type RenewalOptions = Pick<HydrationOptions, 'http' | 'signal' | 'envelope'> & { readonly welcome: HydrationTarget }

/**
 * Plans what a change of definition costs a whole copy: the versions that it steps to as it comes to their places, and the
 * loads of what cannot be made from what it has. Null where everything must be loaded anew.
 *
 * Throws as `fetchManifests`, `corrupt` for an answer of another form, and `limit-exceeded` where what would be held then
 * is beyond the envelope.
 */
export async function planRenewal(options: RenewalOptions, live: Copy): Promise<Renewal | null> {
  const holdsAll = options.welcome.audiences.every((audience) => live.joins.has(audience))
  if (live.stage !== 'joined' || !holdsAll || options.welcome.audiences.length === 0) return null
  const versions = await fetchVersions(options, { epoch: live.epoch, version: live.definition.version })
  // Nothing came after what is held, and still it is not what is in force.
  if (versions === null || (versions.length === 0 && live.behind.size === 0)) return null
  const { phases, renewed } = planVersions(heldBy(live), live.cursor, versions)
  const version = versions.at(-1)?.version ?? live.definition.version
  if (renewed.size === 0) return { version, phases, renewed, manifests: [] }
  const manifests = await fetchManifests(options)
  const [first] = manifests
  if (first?.epoch !== live.epoch) return null
  if (first.definitionVersion !== version)
    throw new TidemarkError('unavailable', 'The schema changed again meanwhile; reconnecting.')
  const fault = envelopeFault(options.envelope, manifests)
  if (fault !== null) throw fault
  const wanted = manifests.map((manifest) => ({
    ...manifest,
    tables: manifest.tables.filter(({ table }) => renewed.has(table)),
  }))
  return { version, phases, renewed, manifests: wanted }
}
