import { type DefinitionInForce, quoteTable, type TableDefinition } from '../../protocol/index.ts'
import type { Proposal } from './propose-steps.ts'

/** The work of replicas of a version on one table to get to a later version; tables that they keep have none. */
export interface ReplicaEffect {
  /** Its id in the later version, or in the earlier one where it leaves. */
  readonly table: string
  /** Its quoted name in the database. */
  readonly relation: string
  /** The id that replicas have it by; null where it joins. */
  readonly before: string | null
  readonly kind: 'changed in place' | 'perhaps in place' | 'made empty' | 'loaded' | 'dropped'
}

interface Way {
  readonly before: string | null
  readonly kind: ReplicaEffect['kind'] | 'kept'
}

/** A version, with the steps that only the log can decide on. */
type ProposingVersion = DefinitionInForce & { readonly proposal?: Proposal }

/** Sums up what replicas of one version do over the versions that came in force after it, in order. */
export function replicaEffects(
  before: Pick<DefinitionInForce, 'definition'>,
  versions: readonly ProposingVersion[],
): ReplicaEffect[] {
  let ways = new Map<string, Way>(before.definition.tables.map(({ id }) => [id, { before: id, kind: 'kept' }]))
  for (const version of versions)
    ways = new Map(version.definition.tables.map((table) => [table.id, wayTo(table, version, ways)]))
  const tables = versions.at(-1)?.definition.tables ?? before.definition.tables
  const changed = tables.flatMap((table): ReplicaEffect[] => {
    const way = ways.get(table.id)
    if (way === undefined || way.kind === 'kept') return []
    return [{ table: table.id, relation: quoteTable(table), before: way.before, kind: way.kind }]
  })
  const held = new Set([...ways.values()].map((way) => way.before))
  const left = before.definition.tables.filter(({ id }) => !held.has(id))
  return [
    ...changed,
    ...left.map((table) => ({
      table: table.id,
      relation: quoteTable(table),
      before: table.id,
      kind: 'dropped' as const,
    })),
  ]
}

/** A table is loaded once, however many versions lie between. */
function wayTo(table: TableDefinition, version: ProposingVersion, ways: ReadonlyMap<string, Way>): Way {
  const earlier = ways.get(table.id)
  if (table.since !== version.version && earlier !== undefined) return earlier
  const isProposed = version.proposal?.steps.some(({ step }) => step.table === table.id) ?? false
  if (isProposed && earlier !== undefined)
    return earlier.kind === 'kept' ? { ...earlier, kind: 'perhaps in place' } : { ...earlier, kind: 'loaded' }
  const step = version.steps?.find((one) => one.table === table.id)
  if (step === undefined) return { before: earlier?.before ?? null, kind: 'loaded' }
  if (step.from === null) return { before: null, kind: 'made empty' }
  const carried = ways.get(step.from)
  if (carried === undefined) return { before: null, kind: 'loaded' }
  return carried.kind === 'kept' ? { ...carried, kind: 'changed in place' } : carried
}
