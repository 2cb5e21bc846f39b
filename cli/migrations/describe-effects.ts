import type { ReplicaEffect } from '../../db/definition/replica-effects.ts'
import type { Query } from '../../db/query.ts'
import { readSizes, showBytes, type TableSize } from './table-sizes.ts'

/** Says in a sentence each what replicas do with the tables; to be called in the transaction that changes them. */
export async function describeEffects(query: Query, effects: readonly ReplicaEffect[]): Promise<string[]> {
  const loaded = effects.filter(({ kind }) => kind === 'loaded' || kind === 'perhaps in place')
  const sizes = await readSizes(
    query,
    loaded.map(({ relation }) => relation),
  )
  return effects.map((effect) => describeEffect(effect, sizes.get(effect.relation)))
}

function describeEffect({ table, before, kind }: ReplicaEffect, size: TableSize | undefined): string {
  const name = before === null ? `${table} joins` : before === table ? table : `${table}, which was ${before}`
  switch (kind) {
    case 'changed in place':
      return `Table ${name}: replicas change theirs in place (nothing is downloaded).`
    case 'perhaps in place':
      return `Table ${name}: replicas change theirs in place, if the log shows where it was altered; else they load it anew${describeSize(size)}.`
    case 'made empty':
      return `Table ${name}: replicas make it (nothing is downloaded).`
    case 'dropped':
      return `Table ${name} leaves: replicas drop theirs.`
    case 'loaded':
      return `Table ${name}: replicas load it ${before === null ? '' : 'anew'}${describeSize(size)}.`.replace(' :', ':')
  }
}

function describeSize(size: TableSize | undefined): string {
  if (size === undefined) return ''
  const rows = size.rows === null ? 'rows not yet counted (ANALYZE counts them)' : `about ${size.rows} rows`
  return `: ${rows}, ${showBytes(size.bytes)} in all (estimates; each loads those of its audiences)`
}
