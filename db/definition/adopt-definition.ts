import { type Definition, TidemarkError } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { type AppliedDefinition, putInForce } from './apply-definition.ts'
import { type CatalogueTable, readCatalogue } from './catalogue.ts'
import type { Drift } from './compare-shapes.ts'
import { declaredAgain } from './declared-table.ts'
import { readDefinitionInForce } from './definition-in-force.ts'
import { lockJoining } from './lock-joining.ts'
import { resolveDeclared } from './resolve-definition.ts'

/**
 * Puts the definition in force anew, with these tables as they are now; replicas load them anew.
 *
 * A table whose shape drifted is defined as the catalogue has it now; one that can no longer be synced is left out. Run
 * it in a transaction, as the owner of the tables. Throws `misconfigured` where nothing would be left.
 */
export async function adoptDefinition(query: Query, drifts: readonly Drift[]): Promise<AppliedDefinition> {
  await query('LOCK TABLE tidemark.sync_definition IN SHARE ROW EXCLUSIVE MODE')
  const before = await readDefinitionInForce(query)
  if (before === null) throw new TidemarkError('misconfigured', 'No sync definition is in force: run tidemark migrate.')
  const watched = before.watched ?? []
  const tables = [...before.definition.tables, ...watched]
  await lockJoining(query, tables)
  const catalogue = await readCatalogue(query, tables)
  const reshaped = new Set(drifts.filter(({ kind }) => kind === 'shape').map(({ table }) => table))
  const definition = reshaped.size === 0 ? before.definition : redefine(before.definition, reshaped, catalogue)
  if (definition.tables.length === 0)
    throw new TidemarkError('misconfigured', 'None of the synced tables can be synced any more: run tidemark migrate.')
  const has = ({ schema, name }: { schema: string; name: string }) =>
    catalogue.some((table) => table.schema === schema && table.name === name)
  const drifted = new Set(drifts.map(({ table }) => table))
  return await putInForce(query, { definition, watched: watched.filter(has) }, catalogue, {
    start: { drifted, tables: null },
  })
}

function redefine(before: Definition, reshaped: ReadonlySet<string>, catalogue: readonly CatalogueTable[]): Definition {
  const declared = before.tables.map((table) => declaredAgain(table, catalogue))
  const { definition } = resolveDeclared(declared, [], catalogue)
  const tables = before.tables.flatMap((table) => {
    if (!reshaped.has(table.id)) return [table]
    return definition.tables.filter(({ id }) => id === table.id)
  })
  return { types: definition.types, tables }
}
