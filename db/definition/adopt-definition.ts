import { type Definition, type DefinitionInForce, TidemarkError } from '../../protocol/index.ts'
import type { Query } from '../query.ts'
import { type AppliedDefinition, putInForce } from './apply-definition.ts'
import { type CatalogueTable, readCatalogue } from './catalogue.ts'
import type { Drift } from './compare-shapes.ts'
import { declaredAgain } from './declared-table.ts'
import { readDefinitionInForce } from './definition-in-force.ts'
import { columnOf } from './derive-steps.ts'
import { keepAudiences } from './keep-audiences.ts'
import { lockJoining } from './lock-joining.ts'
import { resolveDeclared } from './resolve-definition.ts'
import { readShapes } from './table-shape.ts'
import { keepOthersOut } from './transaction-start.ts'

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
  await keepOthersOut(query, before)
  const watched = before.watched ?? []
  const tables = [...before.definition.tables, ...watched]
  await lockJoining(query, tables)
  // What others took from how a table keeps its audience is made again, and its rows are given what they should have.
  const keeping = await keepAudiences(
    query,
    query,
    before.definition.tables.map((table) => declaredAgain(table, [])),
    new Set(drifts.map(({ table }) => table)),
  )
  const catalogue = await readCatalogue(query, tables)
  const reshaped = new Set(drifts.filter(({ kind }) => kind === 'shape').map(({ table }) => table))
  const found =
    reshaped.size === 0
      ? before.definition
      : redefine(before.definition, await underNewNames(query, before), reshaped, catalogue)
  const definition = { ...found, tables: found.tables.filter(({ id }) => !keeping.refused.has(id)) }
  if (definition.tables.length === 0)
    throw new TidemarkError('misconfigured', 'None of the synced tables can be synced any more: run tidemark migrate.')
  const has = ({ schema, name }: { schema: string; name: string }) =>
    catalogue.some((table) => table.schema === schema && table.name === name)
  const drifted = new Set(drifts.map(({ table }) => table))
  const keysOnly = (before.keysOnly ?? []).filter((id) => definition.tables.some((table) => table.id === id))
  return await putInForce(query, { definition, watched: watched.filter(has), keysOnly }, catalogue, {
    start: { drifted, tables: null, isHeld: true },
  })
}

/** A column is the one before where its number is, so that it travels on under another name. */
async function underNewNames(query: Query, before: DefinitionInForce): Promise<Definition> {
  const shapes = await readShapes(query, before)
  const tables = before.definition.tables.map((table) => {
    const { before: was = null, now = null } = shapes.get(table.id) ?? {}
    if (was === null || now?.relation !== was.relation) return table
    const nameNow = (name: string) =>
      now.columns.find(({ number }) => number === columnOf(was, name)?.number)?.name ?? name
    const renamed = table.columns.map((column) => ({ ...column, name: nameNow(column.name) }))
    const columns = [...new Map(renamed.map((column) => [column.name, column])).values()]
    const { audience } = table
    const rule = 'column' in audience ? { ...audience, column: nameNow(audience.column) } : audience
    return { ...table, columns, audience: rule }
  })
  return { ...before.definition, tables }
}

function redefine(
  before: Definition,
  now: Definition,
  reshaped: ReadonlySet<string>,
  catalogue: readonly CatalogueTable[],
): Definition {
  const declared = now.tables.map((table) => declaredAgain(table, catalogue))
  const { definition } = resolveDeclared(declared, [], catalogue)
  const tables = before.tables.flatMap((table) => {
    if (!reshaped.has(table.id)) return [table]
    return definition.tables.filter(({ id }) => id === table.id)
  })
  return { types: definition.types, tables }
}
